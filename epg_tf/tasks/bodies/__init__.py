"""Random bodies of any MuJoCo model: `random_body.RandomBody`, and robots of the paper on it."""
