"""A page on this machine: sliders, a painted region, directions found for it, and what is kept."""
