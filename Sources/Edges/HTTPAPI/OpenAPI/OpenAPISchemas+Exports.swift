// Documents of exports.
extension OpenAPISchemas {
    static let exports = #"""
        "StatementFile":{"type":"string","description":"CSV (RFC 4180) or a JSON object a line."},
        "StatementExportList":{"type":"object","required":["items","next"],"properties":{
          "items":{"type":"array","items":{"type":"object",
            "required":["format","month","digest","line_count","by","at"],"properties":{
            "format":{"type":"string","enum":["csv","ndjson","focus"]},
            "month":{"type":"string"},"customer":{"type":"string"},
            "digest":{"type":"string","description":"sha256: and the hash of the whole file."},
            "line_count":{"type":"integer"},"first_line":{"type":"string"},
            "last_line":{"type":"string"},"by":{"type":"string"},
            "at":{"type":"string","format":"date-time"}}}},
          "next":{"type":["string","null"]}}},
        "MeterEvent":{"type":"object",
          "required":["identifier","customer","meter","window","revision","value","state"],
          "properties":{
          "identifier":{"type":"string","maxLength":100},
          "customer":{"type":"string"},"meter":{"type":"string"},
          "window":{"type":"object","properties":{
            "start":{"type":"string","format":"date-time"},
            "end":{"type":"string","format":"date-time"}}},
          "revision":{"type":"integer","minimum":1},
          "value":{"type":"integer","minimum":1,"description":"Whole units."},
          "stripe_customer":{"type":"string"},"event_name":{"type":"string"},
          "timestamp":{"type":"string","format":"date-time"},
          "state":{"type":"string",
            "enum":["planned","sent","uncertain","refused","too_old","replaced"]},
          "planned_at":{"type":"string","format":"date-time"},
          "calls":{"type":"integer"},
          "first_call_at":{"type":"string","format":"date-time"},
          "next_call_at":{"type":"string","format":"date-time"},
          "answer":{"type":"string","description":"What Stripe said last."},
          "settled_at":{"type":"string","format":"date-time"},
          "resolution":{"type":"object","properties":{
            "as":{"type":"string","enum":["sent","resend"]},"by":{"type":"string"},
            "reason":{"type":"string"},"at":{"type":"string","format":"date-time"}}},
          "replaced_by":{"type":"string"}}},
        "MeterEventList":{"type":"object","required":["items","next"],"properties":{
          "items":{"type":"array","items":{"$ref":"#/components/schemas/MeterEvent"}},
          "next":{"type":["string","null"]}}},
        "MeterCreditList":{"type":"object","required":["items","next"],"properties":{
          "items":{"type":"array","items":{"type":"object","properties":{
            "customer":{"type":"string"},"meter":{"type":"string"},
            "month_start":{"type":"string","format":"date-time"},
            "units":{"type":"integer","minimum":1}}}},
          "next":{"type":["string","null"]}}},
        "ResolveMeterEvent":{"type":"object","required":["as"],"properties":{
          "as":{"type":"string","enum":["sent","resend"],
            "description":"sent: Stripe has it, or it was billed elsewhere. resend: once more."},
          "reason":{"type":"string"}}}
        """#
}
