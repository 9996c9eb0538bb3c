"""StyleGAN2 and StyleGAN2-ADA: the network, and a reader for each format."""
