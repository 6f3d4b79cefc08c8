/// JSON schemas of everything that goes in and out, as the OpenAPI document shows them. A test holds
/// real answers against them.
enum OpenAPISchemas {
    static let all =
        "{"
        + [
            questions, decisions, events, reports, control, definitions, prices, records, access,
            corrections, billing, exports, alertEndpoints, signals,
        ].joined(separator: ",") + "}"

    private static let questions = #"""
        "Quantity":{"description":"Integer, or decimal string.","anyOf":[
          {"type":"integer"},{"type":"string","pattern":"^-?[0-9]+(\\.[0-9]+)?$"}]},
        "Question":{"type":"object","required":["feature"],"properties":{
          "customer":{"type":"string"},"subject":{"type":"string"},"feature":{"type":"string"},
          "quantity":{"$ref":"#/components/schemas/Quantity"},
          "id":{"type":"string","description":"Idempotency key; Idempotency-Key does as well."},
          "context":{"type":"object","description":"Where the use takes place.","properties":{
            "domain":{"type":"string"},"region":{"type":"string"}}},
          "environment":{"type":"string","enum":["production","sandbox","internal","test"],
            "description":"Whose counters; a subject has its own."},
          "ttl_seconds":{"type":"integer","minimum":1,"maximum":86400,
            "description":"Of a reservation; 60 when absent."}}},
        "Questions":{"type":"object","required":["checks"],"properties":{
          "checks":{"type":"array","maxItems":1000,
            "items":{"$ref":"#/components/schemas/Question"}}}},
        "Check":{"anyOf":[{"$ref":"#/components/schemas/Question"},
          {"$ref":"#/components/schemas/Questions"}]},
        "Commit":{"type":"object","properties":{
          "quantity":{"$ref":"#/components/schemas/Quantity"}}},
        "Redrive":{"type":"object","properties":{
          "kind":{"type":"string","enum":["dead_letter","quarantine"]},
          "limit":{"type":"integer","minimum":1,"maximum":100000}}}
        """#

    private static let decisionMembers = #"""
        "allowed":{"type":"boolean"},
        "reason":{"type":"string","enum":["ok","warning","overage","exhausted","held",
          "not_entitled","suspended","expired","unknown_customer","unknown_feature","stale",
          "degraded"]},
        "customer":{"type":"string"},"feature":{"type":"string"},
        "quantity":{"$ref":"#/components/schemas/Quantity"},
        "limit":{"anyOf":[{"$ref":"#/components/schemas/Quantity"},{"type":"null"}]},
        "used":{"$ref":"#/components/schemas/Quantity"},
        "held":{"$ref":"#/components/schemas/Quantity"},
        "remaining":{"description":"Null where nothing limits it.",
          "anyOf":[{"$ref":"#/components/schemas/Quantity"},{"type":"null"}]},
        "overage":{"$ref":"#/components/schemas/Quantity"},
        "unlimited":{"type":"boolean"},
        "period":{"anyOf":[{"$ref":"#/components/schemas/Period"},{"type":"null"}]},
        "resets_at":{"type":["string","null"],"format":"date-time"},
        "thresholds_crossed":{"type":"array","items":{"type":"string"}},
        "limit_source":{"type":["string","null"]},
        "mode":{"type":"string","enum":["exact","leased","stale"]},
        "usage_complete_to":{"type":["string","null"],"format":"date-time"},
        "overrun_bound":{"description":"By so much a hard limit can be passed in this mode.",
          "$ref":"#/components/schemas/Quantity"},
        "decided_at":{"type":["string","null"],"format":"date-time"},
        "revision":{"type":"integer","description":"Of the control plane, by which it was decided."},
        "charged":{"type":"boolean","description":"True when used contains the quantity."},
        "limiting_customer":{"type":"string",
          "description":"The one of the tree above whose quota is the tightest."},
        "value":{"type":"string","description":"Of a static feature."},
        "upgrade_hint":{"type":"string"}
        """#

    private static let decisionRequired = #"""
        "allowed","reason","customer","feature","quantity","limit","used","held","remaining",
        "overage","unlimited","period","resets_at","thresholds_crossed","limit_source","mode",
        "usage_complete_to","overrun_bound","decided_at","revision"
        """#

    private static let decisions =
        #"""
        "Period":{"type":"object","required":["start","end"],"additionalProperties":false,
          "properties":{"start":{"type":["string","null"],"format":"date-time"},
            "end":{"type":["string","null"],"format":"date-time"}}},
        "Decision":{"type":"object","additionalProperties":false,"required":[
        """# + decisionRequired + #"],"properties":{"# + decisionMembers
            + #"""
            }},
            "Decisions":{"type":"object","required":["decisions"],"properties":{
              "decisions":{"type":"array","items":{"anyOf":[{"$ref":"#/components/schemas/Decision"},
                {"$ref":"#/components/schemas/Problem"}]}}}},
            "DecisionOrDecisions":{"anyOf":[{"$ref":"#/components/schemas/Decision"},
              {"$ref":"#/components/schemas/Decisions"}]},
            "Reservation":{"type":"object","additionalProperties":false,"required":[
            """# + decisionRequired + #"],"properties":{"# + decisionMembers
            + #"""
            ,"reservation_id":{"type":"string","description":"Absent when denied."},
            "state":{"type":"string","enum":["open","committed","released","expired"]},
            "reserved":{"$ref":"#/components/schemas/Quantity"},
            "committed":{"$ref":"#/components/schemas/Quantity"},
            "expires_at":{"type":"string","format":"date-time"}}},
            "Entitlements":{"type":"object","required":["customer","entitlements"],"properties":{
              "customer":{"type":"string"},"entitlements":{"type":"array","items":{
                "type":"object","additionalProperties":false,"required":["type","thresholds","sources","binding",
            """# + decisionRequired + #"],"properties":{"# + decisionMembers
            + #"""
            ,"type":{"type":"string","enum":["boolean","static","metered","seat"]},
            "enforcement":{"type":["string","null"]},"counting":{"type":["string","null"]},
            "thresholds":{"type":"array","items":{"type":"string"}},
            "sources":{"type":"array","items":{"type":"string"}},
            "binding":{"anyOf":[{"$ref":"#/components/schemas/Binding"},{"type":"null"}]}}}}}},
            "Binding":{"type":"object","description":"Where it holds; an empty list binds nothing.",
              "properties":{"domains":{"type":"array","items":{"type":"string"}},
                "regions":{"type":"array","items":{"type":"string"}}}},
            "Problem":{"type":"object","required":["type","title","status","detail","code"],
              "properties":{"type":{"type":"string"},"title":{"type":"string"},
                "status":{"type":"integer"},"detail":{"type":"string"},
                "instance":{"type":"string"},"code":{"type":"string"},"field":{"type":"string"},"request_id":{"type":"string"},
                "violated-policies":{"type":"array","items":{"type":"string"}},
                "errors":{"type":"array","items":{"type":"object","properties":{
                  "line":{"type":"integer"},"column":{"type":"integer"},"field":{"type":"string"},
                  "message":{"type":"string"}}}}}}
            """#

    private static let events = #"""
        "Event":{"type":"object","description":"A CloudEvent 1.0.",
          "required":["specversion","id","source","type"],"properties":{
            "specversion":{"const":"1.0"},"id":{"type":"string"},"source":{"type":"string"},
            "type":{"type":"string"},"subject":{"type":"string"},
            "time":{"type":"string","format":"date-time"},"data":{}}},
        "Events":{"type":"array","maxItems":1000,"items":{"$ref":"#/components/schemas/Event"}},
        "EventOrEvents":{"anyOf":[{"$ref":"#/components/schemas/Event"},
          {"$ref":"#/components/schemas/Events"}]},
        "Verdict":{"type":"object","required":["accepted","rejected"],"properties":{
          "accepted":{"type":"integer"},"rejected":{"type":"array","items":{"type":"object",
            "required":["index","code","detail"],"properties":{"index":{"type":"integer"},
              "code":{"type":"string"},"detail":{"type":"string"}}}}}},
        "SetAsideEvents":{"type":"object","required":["events","next"],"properties":{
          "next":{"type":["string","null"]},"events":{"type":"array","items":{"type":"object",
            "required":["sequence","kind","reason","detail","event"],"properties":{
              "sequence":{"type":"integer"},"kind":{"type":"string"},"reason":{"type":"string"},
              "detail":{"type":"string"},"subject":{"type":["string","null"]},
              "partition":{"type":"integer"},"offset":{"type":"integer"},
              "appended_at":{"type":["string","null"]},"headers":{"type":"object"},
              "event":{"description":"The payload, when it is JSON."},
              "event_base64":{"type":"string"}}}}}},
        "TailedEvents":{"type":"object","required":["events","next"],"properties":{
          "next":{"type":"integer"},"events":{"type":"array","items":{"type":"object",
            "required":["partition","offset","event"],"properties":{
              "partition":{"type":"integer"},"offset":{"type":"integer"},
              "appended_at":{"type":["string","null"]},
              "event":{"description":"The payload, when it is JSON."},
              "event_base64":{"type":"string"}}}}}},
        "Redriven":{"type":"object","required":["redriven"],"properties":{
          "redriven":{"type":"integer"}}}
        """#

    private static let reports = #"""
        "Usage":{"type":"object","required":["customer","meter","window","unit","windows"],
          "properties":{"customer":{"type":"string"},"feature":{"type":["string","null"]},
            "meter":{"type":"string"},"window":{"type":"string"},"unit":{"type":"string"},
            "time_zone":{"type":"string"},"usage_complete_to":{"type":["string","null"]},
            "next":{"type":["string","null"]},"windows":{"type":"array","items":{"type":"object",
              "required":["start","end","value","count","group"],"properties":{
                "start":{"type":["string","null"]},"end":{"type":["string","null"]},
                "value":{"type":"string"},"count":{"type":"integer"},
                "group":{"type":"object","additionalProperties":{"type":"string"}}}}}}},
        "NearLimit":{"type":"object","required":["entries","next"],"properties":{
          "next":{"type":["string","null"]},"entries":{"type":"array","items":{
            "type":"object","required":["customer","feature","plan","used","limit","share"],
            "properties":{"customer":{"type":"string"},"feature":{"type":"string"},
              "plan":{"type":"string"},"owner":{"type":["string","null"]},
              "used":{"$ref":"#/components/schemas/Quantity"},
              "limit":{"$ref":"#/components/schemas/Quantity"},"share":{"type":"string"},
              "enforcement":{"type":"string"},"period":{"$ref":"#/components/schemas/Period"},
              "projected_exhaustion":{"type":["string","null"]},
              "projected_earliest":{"type":["string","null"]},
              "projected_latest":{"type":["string","null"],
                "description":"Null: it may not be reached in this period."}}}}}},
        "Alerts":{"type":"object","required":["alerts","next"],"properties":{
          "next":{"type":["string","null"]},"alerts":{"type":"array","items":{"type":"object",
            "required":["id","customer","feature","meter","threshold","crossed_at"],"properties":{
              "id":{"type":"string"},"sequence":{"type":"integer"},"customer":{"type":"string"},
              "feature":{"type":"string"},"meter":{"type":"string"},"threshold":{"type":"string"},
              "limit":{"anyOf":[{"$ref":"#/components/schemas/Quantity"},{"type":"null"}]},
              "used_before":{"$ref":"#/components/schemas/Quantity"},
              "used_after":{"$ref":"#/components/schemas/Quantity"},
              "period":{"$ref":"#/components/schemas/Period"},"limit_source":{"type":"string"},
              "crossed_at":{"type":["string","null"]},
              "resolved_at":{"type":["string","null"]}}}}}},
        "Totals":{"type":"object","required":["totals"],"properties":{"totals":{"type":"array",
          "items":{"type":"object","required":["customer","meter","count","value"],"properties":{
            "customer":{"type":"string"},"meter":{"type":"string"},"count":{"type":"integer"},
            "value":{"type":"integer"}}}}}},
        "Reconciliation":{"type":"object","required":["events_read","events_counted","duplicates",
          "set_aside","filtered","control_events","rows_compared","drifts","notes"],"properties":{
            "events_read":{"type":"integer"},
            "events_counted":{"type":"integer"},"duplicates":{"type":"integer"},
            "set_aside":{"type":"integer"},"filtered":{"type":"integer"},
            "control_events":{"type":"integer"},
            "rows_compared":{"type":"integer"},"notes":{"type":"array","items":{"type":"string"}},
            "drifts":{"type":"array","items":{"type":"object","properties":{
              "customer":{"type":"string"},"meter":{"type":"string"},
              "period":{"anyOf":[{"$ref":"#/components/schemas/Period"},{"type":"null"}]},
              "store":{"type":"string"},"recounted":{"type":"integer"},
              "stored":{"type":"integer"}}}}}}
        """#

    private static let control = #"""
        "CatalogChange":{"type":"object","required":["revision","applied","changes"],
          "properties":{"revision":{"type":"integer"},"applied":{"type":"boolean"},
            "changes":{"type":"array","items":{"type":"string"}}}},
        "YAML":{"type":"string"},
        "Any":{"type":"object"}
        """#
}
