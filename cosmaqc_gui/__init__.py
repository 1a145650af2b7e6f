"""The app: asks the workers to compute, and shows what they found."""
