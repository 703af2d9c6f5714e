-- The 27 countries of the European Union, as of November 2026, for sesame.country(require "eu").
-- Membership changes by treaty. Then change this list.
return {
  "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
  "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
}
