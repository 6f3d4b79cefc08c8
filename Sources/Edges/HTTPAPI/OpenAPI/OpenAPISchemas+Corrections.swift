extension OpenAPISchemas {
    static let corrections = #"""
        "EventReference":{"type":"object","required":["source","id"],"properties":{
          "source":{"type":"string"},"id":{"type":"string"},
          "reason":{"type":"string","description":"Why; required here or in the query."}}},
        "Amendment":{"type":"object","required":["source","id"],"properties":{
          "source":{"type":"string"},"id":{"type":"string"},
          "reason":{"type":"string","description":"Why; required here or in the query."},
          "data":{"type":"object","description":"Merged into the event's data (RFC 7396)."},
          "time":{"type":"string","format":"date-time"},"subject":{"type":"string"}}},
        "EventContent":{"type":["object","null"],"properties":{
          "customer":{"type":"string"},"time":{"type":"string","format":"date-time"},
          "event":{"description":"The CloudEvent."}}},
        "Correction":{"type":"object","required":["id","action","source","event_id","customer",
            "reason","actor","recorded_at","state","meters"],
          "properties":{"id":{"type":"string"},
          "action":{"type":"string","enum":["void","amend","restore"]},
          "source":{"type":"string"},"event_id":{"type":"string"},
          "number":{"type":"integer","description":"1 for the event's first correction."},
          "customer":{"type":"string"},"reason":{"type":"string"},"actor":{"type":"string"},
          "recorded_at":{"type":"string","format":"date-time"},
          "state":{"type":"string","enum":["applied","refused"]},
          "refusal":{"type":"string"},
          "meters":{"type":"array","items":{"type":"object","required":["meter"],"properties":{
            "meter":{"type":"string"},"removed":{},"added":{}}}},
          "removed":{"$ref":"#/components/schemas/EventContent"},
          "added":{"$ref":"#/components/schemas/EventContent"},
          "position":{"type":"object","properties":{"partition":{"type":"integer"},
            "offset":{"type":"integer"}}}}},
        "Corrections":{"type":"object","required":["items","next"],"properties":{
          "next":{"type":["string","null"]},
          "items":{"type":"array","items":{"$ref":"#/components/schemas/Correction"}}}}
        """#
}
