"""Commands that made the weights and answers that the package ships; nothing imports them."""
