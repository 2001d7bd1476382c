"""Fine-tuning another city's networks on shares of a city, and how well they rank its areas."""
