// Documents of the control plane. What a record may hold is checked by the control plane, which says
// more about a mistake than a schema can; these name the members and their forms.
extension OpenAPISchemas {
    static let definitions = #"""
        "Limit":{"description":"Integer, decimal string, or \"unlimited\".",
          "anyOf":[{"type":"integer"},{"type":"string"}]},
        "Entitlement":{
          "description":"true or false, a static value, a number of seats, or an object of terms.",
          "anyOf":[{"type":"boolean"},{"type":"string"},{"type":"integer"},
            {"type":"object","properties":{"enabled":{"type":"boolean"},"value":{},
              "limit":{"$ref":"#/components/schemas/Limit"},"period":{"type":"string"},
              "anchor":{"type":"string"},"thresholds":{"type":"array"},
              "enforcement":{"type":"string","enum":["hard","soft"]},"on_outage":{"type":"string"},
              "durability":{"type":"string"},"grace":{"type":"object","properties":{
                "units":{"$ref":"#/components/schemas/Limit"},"days":{"type":"integer"}}},
              "overage_max":{"$ref":"#/components/schemas/Limit"},
              "seats":{"$ref":"#/components/schemas/Limit"},
              "mode":{"type":"string","enum":["named","concurrent"]},"heartbeat":{},
              "domains":{"type":"array","items":{"type":"string"}},
              "regions":{"type":"array","items":{"type":"string"}}}}]},
        "EntitlementMap":{"type":"object",
          "additionalProperties":{"$ref":"#/components/schemas/Entitlement"}},
        "Change":{"type":"object","description":"What a command did.","properties":{
          "request_id":{"type":"string"},"changed":{"type":"integer"},
          "restatement":{"type":"object","description":"What it did to usage scored before."}}},
        "Product":{"type":"object","required":["key"],"properties":{"key":{"type":"string"},
          "name":{"type":"string"},"default_plan":{"type":"string"},
          "change":{"$ref":"#/components/schemas/Change"}}},
        "Meter":{"type":"object","required":["key"],"properties":{"key":{"type":"string"},
          "event_type":{"type":"string"},"aggregation":{"type":"string"},"value":{"type":"string"},
          "unit":{"type":"string"},"scale":{"type":"integer"},"group_by":{"type":"object"},
          "allow_negative":{"type":"boolean"},"change":{"$ref":"#/components/schemas/Change"}}},
        "Feature":{"type":"object","required":["key"],"properties":{"key":{"type":"string"},
          "name":{"type":"string"},"type":{"type":"string",
            "enum":["boolean","static","metered","seat"]},"meter":{"type":"string"},
          "counting":{"type":"string"},"change":{"$ref":"#/components/schemas/Change"}}},
        "Plan":{"type":"object","required":["key"],"properties":{"key":{"type":"string"},
          "name":{"type":"string"},"product":{"type":"string"},"version":{"type":"integer"},
          "versions":{"type":"array","items":{"type":"integer"}},
          "entitlements":{"$ref":"#/components/schemas/EntitlementMap"},
          "change":{"$ref":"#/components/schemas/Change"}}},
        "AddOn":{"type":"object","required":["key"],"properties":{"key":{"type":"string"},
          "name":{"type":"string"},"product":{"type":"string"},
          "entitlements":{"$ref":"#/components/schemas/EntitlementMap"},
          "change":{"$ref":"#/components/schemas/Change"}}},
        "Migration":{"type":"object","properties":{"to":{"type":"integer"},
          "from":{"type":"integer"},"filter":{"type":"object","properties":{
            "customers":{"type":"array","items":{"type":"string"}},"metadata":{"type":"object"},
            "owner":{"type":"string"}}},"effective_at":{"type":"string"}}},
        "Items":{"type":"object","required":["items","next"],"properties":{
          "items":{"type":"array","items":{"type":"object"}},"next":{"type":["string","null"]}}}
        """#

    static let records =
        #"""
        "Customer":{"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"},
          "time_zone":{"type":"string"},"parent":{"type":"string"},"inherits":{"type":"boolean"},
          "environment":{"type":"string"},"subjects":{"type":"array"},
          "external_ids":{"type":"object","additionalProperties":{"type":"string"}},
          "owner":{"type":"string"},"metadata":{"type":"object"},
          "change":{"$ref":"#/components/schemas/Change"}}},
        "Subscription":{"type":"object","properties":{"id":{"type":"string"},
          "customer":{"type":"string"},"product":{"type":"string"},"plan":{"type":"string"},
          "version":{"type":"integer"},"start":{"type":"string"},"end":{"type":"string"},
          "trial_end":{"type":"string"},"trial_converts":{"type":"boolean"},
          "renewal":{"type":"string"},"billing_frequency":{"type":"string"},
          "anchor":{"type":"string"},"add_ons":{"type":"array"},"seats":{"type":"object"},
          "change":{"$ref":"#/components/schemas/Change"}}},
        "Override":{"type":"object","properties":{"id":{"type":"string"},
          "customer":{"type":"string"},"feature":{"type":"string"},
          "value":{"$ref":"#/components/schemas/Entitlement"},"priority":{"type":"integer"},
          "start":{"type":"string"},"end":{"type":"string"},"reason":{"type":"string"},
          "change":{"$ref":"#/components/schemas/Change"}}},
        "Grant":{"type":"object","properties":{"id":{"type":"string"},
          "customer":{"type":"string"},"feature":{"type":"string"},
          "amount":{"$ref":"#/components/schemas/Quantity"},"priority":{"type":"integer"},
          "start":{"type":"string"},"expires":{"type":"string"},"rollover":{"type":"object"},
          "reason":{"type":"string"},"change":{"$ref":"#/components/schemas/Change"}}},
        "Suspension":{"type":"object","properties":{"id":{"type":"string"},
          "customer":{"type":"string"},"product":{"type":"string"},"start":{"type":"string"},
          "end":{"type":"string"},"reason":{"type":"string"},
          "change":{"$ref":"#/components/schemas/Change"}}},
        "Revocation":{"type":"object","properties":{"id":{"type":"string"},
          "customer":{"type":"string"},"product":{"type":"string"},"start":{"type":"string"},
          "end":{"type":"string"},"reason":{"type":"string"},
          "change":{"$ref":"#/components/schemas/Change"}}},
        """#
        + RouteTable.RecordShape.all.map { shape in
            #"""
            "\#(shape.name)List":{"type":"object","required":["items","next"],"properties":{
              "items":{"type":"array","items":{"$ref":"#/components/schemas/\#(shape.name)"}},
              "next":{"type":["string","null"]}}}
            """#
        }.joined(separator: ",")

    static let access = #"""
        "Provision":{"type":"object",
          "description":"As vendors send it: -1 is unlimited, an end date that day's last instant.",
          "properties":{"account_id":{"type":"string"},"customer_id":{"type":"string"},
            "customer":{"type":"string"},"plan":{"type":"string"},"product":{"type":"string"},
            "features":{"type":"array","items":{"type":"string"}},"limits":{"type":"object"},
            "seats":{"type":"integer"},"license_type":{"type":"string"},
            "start_date":{"type":"string"},"expires_at":{"type":"string"},
            "end_date":{"type":"string"},"term_end":{"type":"string"}}},
        "Revoke":{"type":"object","required":["product"],"properties":{
          "account_id":{"type":"string"},"customer_id":{"type":"string"},
          "customer":{"type":"string"},"product":{"type":"string"},"reason":{"type":"string"},
          "effective_at":{"type":"string"}}},
        "SeatHolder":{"type":"object","required":["holder"],"properties":{
          "holder":{"type":"string"}}},
        "Seat":{"type":"object","properties":{"customer":{"type":"string"},
          "feature":{"type":"string"},"holder":{"type":"string"},
          "assigned_at":{"type":["string","null"],"format":"date-time"},
          "expires_at":{"type":["string","null"],"format":"date-time"}}},
        "Seats":{"type":"object","required":["items","next"],"properties":{
          "items":{"type":"array","items":{"$ref":"#/components/schemas/Seat"}},
          "next":{"type":["string","null"]}}},
        "Import":{"type":"object","properties":{"id":{"type":"string"},
          "state":{"type":"string","enum":["running","done","rolled_back"]},
          "total":{"type":"integer"},"done":{"type":"integer"},"created":{"type":"integer"},
          "changed":{"type":"integer"},"unchanged":{"type":"integer"}}},
        "Audit":{"type":"object","required":["items","next"],"properties":{
          "next":{"type":["string","null"]},"items":{"type":"array","items":{"type":"object",
            "required":["seq","at","actor","source","action","kind","id","prev_hash","hash"],
            "properties":{"seq":{"type":"integer"},"at":{"type":"string","format":"date-time"},
              "actor":{"type":"string"},"source":{"type":"string"},"reason":{"type":"string"},
              "effective_at":{"type":"string"},"request_id":{"type":"string"},
              "action":{"type":"string","enum":["create","update","delete","undo"]},
              "kind":{"type":"string"},"id":{"type":"string"},"customer":{"type":"string"},
              "patch":{},"before":{},"after":{},"undoes":{"type":"integer"},
              "prev_hash":{"type":"string"},"hash":{"type":"string"}}}}}},
        "AuditHead":{"type":"object","required":["seq","hash","at","kid","signature"],
          "properties":{"seq":{"type":"integer"},"hash":{"type":"string"},
            "at":{"type":"string","format":"date-time"},"kid":{"type":"string"},
            "signature":{"type":"string",
              "description":"Ed25519 over the other members' canonical JSON, base64url."}}},
        "NewKey":{"type":"object","required":["name","scopes"],"properties":{
          "name":{"type":"string"},"scopes":{"type":"array","items":{"type":"string","enum":[
            "check","events:write","usage:read","limits:write","alerts:write","audit:read",
            "admin"]}},"customer":{"type":"string","description":"All that it may name."},
          "expires_at":{"type":"string","format":"date-time"}}},
        "Key":{"type":"object","required":["id","name","scopes"],"properties":{
          "id":{"type":"string"},"name":{"type":"string"},
          "secret":{"type":"string","description":"Only in the answer that made it."},
          "scopes":{"type":"array","items":{"type":"string"}},"customer":{"type":["string","null"]},
          "created_at":{"type":["string","null"]},"expires_at":{"type":["string","null"]},
          "revoked_at":{"type":["string","null"]}}},
        "Keys":{"type":"object","required":["items","next"],"properties":{
          "items":{"type":"array","items":{"$ref":"#/components/schemas/Key"}},
          "next":{"type":["string","null"]}}},
        "NewToken":{"type":"object","properties":{
          "ttl_seconds":{"type":"integer","minimum":60,"maximum":86400},
          "audience":{"type":"string"},"features":{"type":"array","items":{"type":"string"}}}},
        "Token":{"type":"object","required":["token","expires_at"],"properties":{
          "token":{"type":"string","description":"A JWT, signed with Ed25519."},
          "expires_at":{"type":"string","format":"date-time"}}},
        "KeySet":{"type":"object","required":["keys"],"properties":{
          "keys":{"type":"array","items":{"type":"object"}}}}
        """#
}
