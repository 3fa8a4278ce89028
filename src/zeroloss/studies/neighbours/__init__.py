"""Study `neighbours`: one testable statement each of further neighbouring theories."""
