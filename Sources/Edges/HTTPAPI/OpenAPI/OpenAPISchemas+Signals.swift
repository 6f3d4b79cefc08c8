// Documents of signals and shadow plans.
extension OpenAPISchemas {
    static let signals = #"""
        "Signal":{"type":"object","required":["id","kind","customer","severity","score","since",
            "reason","numbers","periods","links","time_zone","state","is_assigned"],
          "properties":{
            "id":{"type":"string","description":"The same as long as it is about the same."},
            "kind":{"type":"string","enum":["near_limit","projected_exhaustion","upsell",
              "churn_risk","anomaly","leakage"]},
            "customer":{"type":"string"},"customer_name":{"type":"string"},
            "feature":{"type":"string"},"plan":{"type":"string"},
            "owner":{"type":"string","description":"Assigned, or the customer's own."},
            "is_assigned":{"type":"boolean"},
            "severity":{"type":"string","enum":["low","medium","high","critical"]},
            "score":{"type":"integer","minimum":0,"maximum":100},
            "since":{"type":"string","format":"date-time"},
            "reason":{"type":"string","description":"A sentence with its numbers."},
            "numbers":{"type":"object","description":"The same numbers, by name."},
            "time_zone":{"type":"string"},
            "periods":{"type":"array","description":"What it rests on.","items":{"type":"object",
              "required":["start","end","used"],"properties":{
                "start":{"type":"string","format":"date-time"},
                "end":{"type":"string","format":"date-time"},
                "used":{"$ref":"#/components/schemas/Quantity"},"limit":{"$ref":"#/components/schemas/Quantity"}}}},
            "links":{"type":"object","additionalProperties":{"type":"string"}},
            "state":{"type":"string","enum":["open","acknowledged","snoozed"]},
            "acknowledged":{"type":"object","properties":{
              "at":{"type":"string","format":"date-time"},"by":{"type":"string"},
              "severity":{"type":"string"}}},
            "snoozed":{"type":"object","properties":{"by":{"type":"string"},
              "severity":{"type":"string"},"until":{"type":"string","format":"date-time"},
              "until_share_basis_points":{"type":"integer"}}},
            "notes":{"type":"array","items":{"type":"object","properties":{
              "at":{"type":"string","format":"date-time"},"by":{"type":"string"},
              "text":{"type":"string"}}}},
            "change":{"$ref":"#/components/schemas/Change"}}},
        "Signals":{"type":"object","required":["items","next","is_complete","computed_at"],
          "properties":{"items":{"type":"array",
              "items":{"$ref":"#/components/schemas/Signal"}},
            "next":{"type":["string","null"]},
            "is_complete":{"type":"boolean",
              "description":"False after a start, until everybody was looked at once."},
            "computed_at":{"type":["string","null"],"format":"date-time"}}},
        "SignalSnooze":{"type":"object","properties":{
          "until":{"type":"string","description":"A time, or next_threshold."},
          "reason":{"type":"string"}}},
        "SignalOwner":{"type":"object","properties":{"owner":{"type":["string","null"]},
          "reason":{"type":"string"}}},
        "SignalNote":{"type":"object","properties":{"text":{"type":"string"},
          "reason":{"type":"string"}}},
        "SignalsRefreshed":{"type":"object","required":["signals","waiting"],"properties":{
          "signals":{"type":"integer"},
          "waiting":{"type":"integer","description":"Customers still to be looked at."}}},
        "SimulatedSide":{"type":"object","required":["usage","fees","total"],"properties":{
          "usage":{"type":"string"},"fees":{"type":"string"},"total":{"type":"string"}}},
        "SimulatedQuota":{"type":"object","properties":{"feature":{"type":"string"},
          "period":{"$ref":"#/components/schemas/Period"},"threshold":{"type":"string"},
          "limit":{"$ref":"#/components/schemas/Quantity"},"refused":{"$ref":"#/components/schemas/Quantity"},
          "at":{"type":"string","format":"date-time"}}},
        "SimulatedQuotas":{"type":"object","required":["live","draft"],"properties":{
          "live":{"type":"array","items":{"$ref":"#/components/schemas/SimulatedQuota"}},
          "draft":{"type":"array","items":{"$ref":"#/components/schemas/SimulatedQuota"}}}},
        "Simulation":{"type":"object",
          "required":["from","to","items","next","done","total","notes"],"properties":{
            "from":{"type":"string","format":"date-time"},
            "to":{"type":"string","format":"date-time"},
            "next":{"type":["string","null"]},"done":{"type":"integer"},
            "total":{"type":"integer"},
            "notes":{"type":"array","items":{"type":"string"}},
            "items":{"type":"array","items":{"type":"object",
              "required":["customer","revenue","warned","stopped","notes"],"properties":{
                "customer":{"type":"string"},"plan":{"type":"string"},
                "time_zone":{"type":"string"},
                "revenue":{"type":"array","items":{"type":"object","properties":{
                  "currency":{"type":"string"},
                  "live":{"$ref":"#/components/schemas/SimulatedSide"},
                  "draft":{"$ref":"#/components/schemas/SimulatedSide"},
                  "difference":{"type":"string"}}}},
                "warned":{"$ref":"#/components/schemas/SimulatedQuotas"},
                "stopped":{"$ref":"#/components/schemas/SimulatedQuotas"},
                "notes":{"type":"array","items":{"type":"string"}}}}}}}
        """#
}
