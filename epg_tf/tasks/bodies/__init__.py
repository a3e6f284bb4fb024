"""Random bodies of any MuJoCo model: `random_body.RandomBody`, and `robots` built on it."""
