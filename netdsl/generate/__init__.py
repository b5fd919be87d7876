"""What a `sample` declaration names: samplers (`samplers`), bound to a model (`check`)."""
