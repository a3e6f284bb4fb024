"""Algorithm 1, lines 8-11, in one call: M steps of W agents, acting, physics and resets.

Agents act by the standard policies: tanh between dense layers, a Gaussian or a categorical
distribution at the end. What a family sees and when it ends are rules that were compiled before.
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
        addresses: Of the mjData that all use, of mj_step, mj_getState and mj_setState,
            and of the rules that observe and terminate, [6] int64.
        signature: Which state mj_getState and mj_setState are about.
        control: The mjData's controls, [nu].
        warm_start: The mjData's accelerations that a step's solver starts from, [nv].
        warned: The mjData's counters of warnings, [kinds] int32.
        substeps: Full physics after each substep, [W, frame_skip, 1 + nq + nv + ...]: the time,
            positions, velocities. The last is where a worker is, and the only one that is written.
        observation: What is seen where it is, [W, S].
        fresh_state: Full physics where an episode starts, but for positions and velocities.
        least_time: What a step's time cannot be less than, [W].
        bounds: The lowest and the highest controls, [W, 2, nu].
        stretch: What a control is where the action is 0, and by how much it grows, [2, nu].
        grid: The controls of a finite set of actions, [actions, nu]; no row for a box.
        parameters: What the rules know of each task, [W, ...].
        steps: Taken in the running episode, [W].
        warnings: Steps that could not be integrated, [W].
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
        weights: Of all layers, kernel and bias by turns, [W, ...] float32.
        sizes: Of the layers, from the observation to the output, [layers + 1].
        deviation: The standard deviations of a Gaussian, [W, A] float32.
        squashed: Whether a Gaussian's mean goes through tanh.
        mean: What observations are normalised by, [W, S].
        scale: The same, [W, S].
    """

    weights: np.ndarray
    sizes: np.ndarray
    deviation: np.ndarray
    squashed: bool
    mean: np.ndarray
    scale: np.ndarray


class Steps(NamedTuple):
    """What M steps of W workers gave, for the call to fill in.

    Attributes:
        observation: What was acted on, [W, M, S] float32.
        action: [W, M, A] float32; of a finite set unused.
        choice: The numbers of a finite set's actions, [W, M] int64; of a box unused.
        arrived: What was seen after the step, [W, M, S].
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
        used: How many of them have been, [W].
        needs_start: Whether a worker has to start an episode before it goes on, [W] bool.
        done: How many of the M steps a worker has taken, [W].
    """

    states: np.ndarray
    used: np.ndarray
    needs_start: np.ndarray
    done: np.ndarray


@compiled
def collect(world, actors, noise, starts, steps):
    """Takes each worker's steps up to M, or until it has no start left.

    Args:
        world: The simulators, changed.
        actors: The policies.
        noise: Standard normal numbers [W, M, A] float32, or uniform ones [W, M, 1].
        starts: Where episodes start, changed.
        steps: Filled in.

    Returns:
        How many workers have steps left to take.
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
                if world.warned.any():  # as mujoco.rollout, which makes the step too short then
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
    """Worker w's policy on the normalised observation in `hidden`; how many outputs there are."""
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
    """The action of a categorical distribution that a number from [0, 1) stands for."""
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
