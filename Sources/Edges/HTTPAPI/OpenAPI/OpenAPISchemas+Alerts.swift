// Alert endpoints and their deliveries.
extension OpenAPISchemas {
    static let alertEndpoints = #"""
        "AlertEndpoint":{"type":"object","properties":{"id":{"type":"string"},
          "name":{"type":"string"},"kind":{"type":"string","enum":["webhook","slack","kafka"]},
          "url":{"type":"string","description":"Of webhooks and Slack; shown without its secret part."},
          "topic":{"type":"string","description":"Of Kafka; key: customer, headers: content-type and id."},
          "types":{"type":"array","items":{"type":"string"},
            "description":"Exact types or prefixes such as usage.*; all when absent."},
          "filter":{"type":"object","properties":{
            "plans":{"type":"array","items":{"type":"string"}},
            "features":{"type":"array","items":{"type":"string"}},
            "customers":{"type":"array","items":{"type":"string"}},
            "owners":{"type":"array","items":{"type":"string"}},
            "level_min":{"type":"string","description":"Share of the limit, e.g. 80%."}}},
          "enabled":{"type":"boolean","description":"False: takes no new messages."},
          "digest":{"description":"When messages are told together; false: never.","anyOf":[
            {"type":"boolean"},{"type":"object","properties":{
              "every_seconds":{"type":"integer"},"over":{"type":"integer"}}}]},
          "settle_seconds":{"type":"integer",
            "description":"How long a later change of a crossing must last to be told; 60."},
          "timeout_seconds":{"type":"integer","minimum":1,"maximum":30},
          "headers":{"type":"object"},
          "secret":{"type":"string","description":"Only in the answer that made it."},
          "last_action":{"type":"object"},"revision":{"type":"integer"},
          "status":{"type":"object","properties":{
            "state":{"type":"string","enum":["ok","failing","disabled","off"]},
            "waiting":{"type":"integer"},"oldest_waiting_since":{"type":"string"},
            "disabled_since":{"type":"string"},"disabled_reason":{"type":"string"},
            "failing_since":{"type":"string"},"next_attempt_at":{"type":"string"}}}}},
        "AlertEndpoints":{"type":"object","required":["items","next"],"properties":{
          "items":{"type":"array","items":{"$ref":"#/components/schemas/AlertEndpoint"}},
          "next":{"type":["string","null"]}}},
        "AlertSecret":{"type":"object","properties":{"id":{"type":"string"},
          "secret":{"type":"string","description":"whsec_ and base64; shown this once."},
          "previous_valid_until":{"type":"string","format":"date-time"}}},
        "AlertTest":{"type":"object","properties":{"id":{"type":"string"},
          "delivered":{"type":"boolean"},"status":{"type":"integer"},
          "detail":{"type":"string"},"duration_ms":{"type":"integer"}}},
        "AlertRange":{"type":"object","properties":{
          "from":{"type":"string","format":"date-time"},
          "to":{"type":"string","format":"date-time"}}},
        "AlertsQueued":{"type":"object","properties":{"queued":{"type":"integer"}}},
        "AlertDelivery":{"type":"object","properties":{"message":{"type":"string"},
          "type":{"type":"string"},"customer":{"type":"string"},"feature":{"type":"string"},
          "at":{"type":"string"},
          "state":{"type":"string","enum":["waiting","delivered","failed","cancelled"]},
          "digest":{"type":"string","description":"Id of the digest that carries it."},
          "attempts":{"type":"integer"},"queued_at":{"type":"string"},
          "ended_at":{"type":"string"},"last_status":{"type":"integer"},
          "last_detail":{"type":"string"},"body":{},
          "attempts_log":{"type":"array","items":{"type":"object","properties":{
            "id":{"type":"string"},"at":{"type":"string"},"duration_ms":{"type":"integer"},
            "status":{"type":"integer"},"detail":{"type":"string"}}}}}},
        "AlertDeliveries":{"type":"object","required":["items","next"],"properties":{
          "items":{"type":"array","items":{"$ref":"#/components/schemas/AlertDelivery"}},
          "next":{"type":["string","null"]}}}
        """#
}
