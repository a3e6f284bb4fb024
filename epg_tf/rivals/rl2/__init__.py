"""RL² (Duan et al. 2016; Wang et al. 2016) and E-RL² (Stadie et al. 2018)."""
