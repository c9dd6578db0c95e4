"""The train step, optimizers, schedules and checkpoints."""
