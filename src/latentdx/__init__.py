"""latentdx: diagnosis from medical images with few labels."""
