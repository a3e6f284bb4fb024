"""Algorithm 1, lines 8-11, in one call: M steps of W agents, acting, physics and resets.

Agents act by the standard policies: dense layers with tanh between them, then a Gaussian or a
categorical distribution. The family's rules for observations and termination are compiled too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from epg_tf.native.arithmetic import add_product, largest, tanh_in_place
from epg_tf.native.compiler import call_2, call_3, call_4, compiled


class World(NamedTuple):
    """W simulators.

    Attributes:
        models: The address of each worker's mjModel, [W] int64.
        addresses: Addresses of the shared mjData, of mj_step, mj_getState and mj_setState, and of
            the rules `observe` and `terminated`, [6] int64.
        signature: The mjtState bits that mj_getState and mj_setState copy.
        control: The mjData's controls, [nu].
        warm_start: The mjData's accelerations that a step's solver starts from, [nv].
        warned: The mjData's counters of warnings, [kinds] int32.
        substeps: Full physics (time, positions, velocities, ...) after each substep,
            [W, frame_skip, 1 + nq + nv + ...]. Only the last is used: a worker's current state.
        observation: The current observation, [W, S].
        fresh_state: Full physics at an episode's start, except positions and velocities, [W, ...].
        least_time: The least time in seconds that a valid step takes, [W].
        bounds: The lowest and the highest controls, [W, 2, nu].
        stretch: Offset and scale from a box's actions to controls, [2, nu].
        grid: The controls of a finite set of actions, [actions, nu]; no row for a box.
        parameters: The task parameters that the rules read, [W, ...].
        steps: Steps taken in the current episode, [W].
        warnings: The number of steps that could not be integrated, [W].
        frame_skip: MuJoCo steps per environment step.
        time_limit: Environment steps per episode.
        num_positions: nq.
    """

    models: np.ndarray
    addresses: np.ndarray
    signature: int
    control: np.ndarray
    warm_start: np.ndarray
    warned: np.ndarray
    substeps: np.ndarray
    observation: np.ndarray
    fresh_state: np.ndarray
    least_time: np.ndarray
    bounds: np.ndarray
    stretch: np.ndarray
    grid: np.ndarray
    parameters: np.ndarray
    steps: np.ndarray
    warnings: np.ndarray
    frame_skip: int
    time_limit: int
    num_positions: int


class Actors(NamedTuple):
    """W policies.

    Attributes:
        weights: Kernel and bias of each layer in turn, flat, [W, ...] float32.
        sizes: The layers' widths, from the observation to the output, [layers + 1].
        deviation: The standard deviations of a Gaussian, [W, A] float32.
        squashed: True if a Gaussian's mean goes through tanh.
        mean: The means that normalise observations, [W, S].
        scale: The standard deviations that normalise observations, [W, S].
    """

    weights: np.ndarray
    sizes: np.ndarray
    deviation: np.ndarray
    squashed: bool
    mean: np.ndarray
    scale: np.ndarray


class Steps(NamedTuple):
    """M steps of W workers, the output of `collect`.

    Attributes:
        observation: The observation before the step, [W, M, S] float32.
        action: [W, M, A] float32; unused for a finite set.
        choice: The action numbers of a finite set, [W, M] int64; unused for a box.
        arrived: The observation after the step, before any reset, [W, M, S].
        before: Full physics before the step, [W, M, ...].
        after: Full physics after the step, [W, M, ...].
        terminated: [W, M] bool.
        truncated: [W, M] bool.
    """

    observation: np.ndarray
    action: np.ndarray
    choice: np.ndarray
    arrived: np.ndarray
    before: np.ndarray
    after: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


class Starts(NamedTuple):
    """Positions and velocities that the next episodes start from.

    Attributes:
        states: [W, queue, nq + nv].
        used: The number of starts that a worker has used, [W].
        needs_start: True if a worker must start an episode before its next step, [W] bool.
        done: The number of the M steps that a worker has taken, [W].
    """

    states: np.ndarray
    used: np.ndarray
    needs_start: np.ndarray
    done: np.ndarray


@compiled
def collect(world, actors, noise, starts, steps):
    """Takes each worker's steps up to M, or until the worker runs out of episode starts.

    Args:
        world: The simulators, updated in place.
        actors: The policies.
        noise: Standard normal numbers [W, M, A] float32; for a finite set uniform ones [W, M, 1].
        starts: The episode starts, updated in place.
        steps: The output, filled in.

    Returns:
        The number of workers that ran out of starts.
    """
    data, step, get_state, set_state, observe, terminates = world.addresses
    num_workers, num_steps, size = steps.observation.shape
    discrete = world.grid.shape[0] > 0
    state_size, num_coordinates = world.substeps.shape[2], starts.states.shape[2]
    widest = largest(actors.sizes)
    hidden, outputs = np.empty(widest, np.float32), np.empty(widest, np.float32)
    unfinished = 0
    for w in range(num_workers):
        model, seen = world.models[w], world.observation[w]
        state = world.substeps[w, world.frame_skip - 1]
        physics, to_see = state.ctypes.data, seen.ctypes.data
        positions, velocities = physics + 8, physics + 8 * (1 + world.num_positions)
        known = world.parameters[w].ctypes.data
        call_4(set_state, model, data, physics, world.signature)
        t = starts.done[w]
        while True:
            if starts.needs_start[w]:
                if starts.used[w] == starts.states.shape[1]:
                    unfinished += 1
                    break
                start = starts.states[w, starts.used[w]]
                starts.used[w] += 1
                starts.needs_start[w] = False
                world.steps[w] = 0
                for i in range(state_size):
                    state[i] = world.fresh_state[w, i]
                for i in range(num_coordinates):
                    state[1 + i] = start[i]
                call_4(set_state, model, data, physics, world.signature)
                call_4(observe, positions, velocities, known, to_see)
            if t == num_steps:
                break
            for i in range(size):
                steps.observation[w, t, i] = seen[i]
                normalised = np.float64(steps.observation[w, t, i]) - actors.mean[w, i]
                hidden[i] = normalised / actors.scale[w, i]
            num_outputs = _forward(actors, w, hidden, outputs)
            choice = 0
            if discrete:
                choice = _choice(outputs[:num_outputs], noise[w, t, 0])
                steps.choice[w, t] = choice
            for i in range(world.control.shape[0]):
                if discrete:
                    control = world.grid[choice, i]
                else:
                    action = outputs[i] + actors.deviation[w, i] * noise[w, t, i]
                    steps.action[w, t, i] = action
                    control = world.stretch[0, i] + world.stretch[1, i] * np.float64(action)
                control = min(max(control, world.bounds[w, 0, i]), world.bounds[w, 1, i])
                world.control[i] = 0.0 if math.isnan(control) else control
            for i in range(world.warm_start.shape[0]):
                world.warm_start[i] = 0.0
            before = steps.before[w, t]
            for i in range(state_size):
                before[i] = state[i]
            for kind in range(world.warned.shape[0]):
                world.warned[kind] = 0
            for _ in range(world.frame_skip):
                if world.warned.any():  # like mujoco.rollout; the short step then counts as failed
                    break
                call_2(step, model, data)
            call_4(get_state, model, data, physics, world.signature)
            failed = state[0] - before[0] < world.least_time[w]
            for i in range(state_size):
                failed |= not math.isfinite(state[i])
            if failed:
                for i in range(state_size):
                    state[i] = before[i]
                call_4(set_state, model, data, physics, world.signature)
                world.warnings[w] += 1
            for i in range(state_size):
                steps.after[w, t, i] = state[i]
            call_4(observe, positions, velocities, known, to_see)
            for i in range(size):
                steps.arrived[w, t, i] = seen[i]
            ends = failed or call_3(terminates, positions, velocities, known) != 0
            world.steps[w] += 1
            cut = not ends and world.steps[w] >= world.time_limit
            steps.terminated[w, t], steps.truncated[w, t] = ends, cut
            starts.needs_start[w] = ends or cut
            t += 1
        starts.done[w] = t
    return unfinished


@compiled
def _forward(actors, w, hidden, outputs):
    """Applies worker w's policy to the normalised observation `hidden`; returns the output size."""
    offset, last = 0, actors.sizes.shape[0] - 2
    weights = actors.weights[w]
    for layer in range(last + 1):
        count, width = actors.sizes[layer], actors.sizes[layer + 1]
        kernel = weights[offset : offset + count * width].reshape((count, width))
        offset += count * width
        out = outputs[:width]
        for j in range(width):
            out[j] = weights[offset + j]
        offset += width
        add_product(hidden[:count], kernel, out)
        if layer < last or actors.squashed:
            tanh_in_place(out)
        if layer < last:
            for j in range(width):
                hidden[j] = out[j]
    return actors.sizes[last + 1]


@compiled
def _choice(logits, uniform):
    """Samples a categorical distribution by its cumulative sum, given `uniform` from [0, 1)."""
    highest = largest(logits)
    total = np.float32(0.0)
    for j in range(logits.shape[0]):
        total += np.float32(math.exp(logits[j] - highest))
    reached = np.float32(0.0)
    for j in range(logits.shape[0] - 1):
        reached += np.float32(math.exp(logits[j] - highest))
        if not reached <= uniform * total:
            return j
    return logits.shape[0] - 1
