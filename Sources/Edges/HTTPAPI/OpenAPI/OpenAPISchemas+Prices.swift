// Prices in plans and add-ons. Amounts are exact: answers write them as texts, and requests may write
// them as numbers or texts.
extension OpenAPISchemas {
    static let prices = #"""
        "Currency":{"type":"string","pattern":"^[A-Z]{3}$","description":"ISO 4217, e.g. EUR."},
        "Amount":{"description":"Exact decimal of the plan's currency, at most 12 places.",
          "anyOf":[{"type":"string"},{"type":"number"}]},
        "Rounding":{"type":"string","enum":["half_up","half_even","up","down"],
          "description":"How a line becomes whole minor units; half_up when absent."},
        "RecurringPrice":{"description":"An amount per billing cycle, or an object of terms.",
          "anyOf":[{"$ref":"#/components/schemas/Amount"},
            {"type":"object","required":["amount"],"properties":{
              "amount":{"$ref":"#/components/schemas/Amount"},
              "included":{"type":"integer","description":"Seats that cost nothing."},
              "timing":{"type":"string","enum":["advance","arrears"]},
              "prorate":{"type":"boolean"},
              "rounding":{"$ref":"#/components/schemas/Rounding"}}}]},
        "PriceTier":{"type":"object","properties":{
          "up_to":{"description":"Its last unit; left out in the last tier, which takes the rest.",
            "anyOf":[{"type":"integer"},{"type":"string"}]},
          "unit":{"$ref":"#/components/schemas/Amount"},
          "flat":{"$ref":"#/components/schemas/Amount"}}},
        "UsagePrice":{"type":"object",
          "description":"One of flat, unit, graduated, volume and package.","properties":{
          "flat":{"$ref":"#/components/schemas/Amount"},
          "unit":{"$ref":"#/components/schemas/Amount"},
          "graduated":{"type":"array","maxItems":64,
            "items":{"$ref":"#/components/schemas/PriceTier"}},
          "volume":{"type":"array","maxItems":64,
            "items":{"$ref":"#/components/schemas/PriceTier"}},
          "package":{"type":"object","required":["size","amount"],"properties":{
            "size":{"$ref":"#/components/schemas/Limit"},
            "amount":{"$ref":"#/components/schemas/Amount"}}},
          "included":{"description":"Units that cost nothing, or limit: those of the quota.",
            "anyOf":[{"type":"integer"},{"type":"string"}]},
          "minimum":{"$ref":"#/components/schemas/Amount"},
          "maximum":{"$ref":"#/components/schemas/Amount"},
          "rounding":{"$ref":"#/components/schemas/Rounding"}}}
        """#
}
