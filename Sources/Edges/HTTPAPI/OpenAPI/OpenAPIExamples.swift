/// What the OpenAPI document says about request bodies beyond their schema. Requests and answers share
/// schemas; only a request can lack a member that must be there, so that is said here.
enum OpenAPIExamples {
    struct Body: Sendable {
        /// Members without which the request is refused.
        var required: [String] = []
        /// JSON.
        var example: String
    }

    /// By name of the body's schema.
    static let bodies: [String: Body] = [
        "AlertEndpoint": Body(
            required: ["kind"],
            example: #"""
                {"kind":"webhook","url":"https://hooks.example.com/tollgate",
                  "types":["quota.exhausted","usage.threshold.*"],
                  "filter":{"plans":["pro"],"level_min":"80%"},"digest":{"over":50}}
                """#),
        "AlertRange": Body(
            required: ["from", "to"],
            example: #"{"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z"}"#),
        "Check": Body(example: #"{"subject":"key_1","feature":"tokens","quantity":500}"#),
        "Question": Body(
            example: #"{"subject":"key_40","feature":"api_calls","quantity":1,"ttl_seconds":60}"#),
        "Commit": Body(example: #"{"quantity":1}"#),
        "SignalSnooze": Body(required: ["until"], example: #"{"until":"next_threshold"}"#),
        "SignalOwner": Body(required: ["owner"], example: #"{"owner":"kim"}"#),
        "SignalNote": Body(required: ["text"], example: #"{"text":"Called; wants business."}"#),
        "Event": Body(example: event),
        "Events": Body(example: "[\(event)]"),
        "EventOrEvents": Body(example: event),
        "Product": Body(
            required: ["key"],
            example: #"{"key":"api","name":"Model API","default_plan":"starter"}"#),
        "Meter": Body(
            required: ["key", "event_type", "aggregation"],
            example: #"""
                {"key":"tokens","event_type":"llm.request","aggregation":"sum",
                  "value":"$.total_tokens","unit":"token","group_by":{"model":"$.model"},
                  "filters":{"model":["large","small"]}}
                """#),
        "Feature": Body(
            required: ["key", "type"],
            example:
                #"{"key":"tokens","type":"metered","meter":"tokens","counting":"events"}"#),
        "Plan": Body(
            required: ["key"],
            example: #"""
                {"key":"pro","entitlements":{"sso":true,"region":"eu","seats":{"seats":10},
                  "tokens":{"limit":500000,"period":"month","thresholds":["80%","100%"],
                    "enforcement":"hard","on_outage":{"last_known":"30s"}}}}
                """#),
        "AddOn": Body(
            required: ["key"],
            example:
                #"{"key":"premium","entitlements":{"tokens":{"limit":1000000},"seats":{"seats":5}}}"#
        ),
        "Customer": Body(
            example: #"""
                {"id":"acme","time_zone":"Europe/Berlin","subjects":["acme_1",
                  {"id":"acme_test","environment":"sandbox"}],"external_ids":{"stripe":"cus_1"}}
                """#),
        "Subscription": Body(
            required: ["customer", "plan"],
            example: #"""
                {"customer":"acme","plan":"pro","start":"2026-01-31","seats":{"seats":25},
                  "add_ons":["premium",{"key":"premium","quantity":2,"start":"2026-12-01"}]}
                """#),
        "Override": Body(
            required: ["customer", "feature", "value", "reason"],
            example: #"""
                {"customer":"acme","feature":"tokens","value":{"limit":2000000},
                  "end":"2026-12-31","reason":"launch"}
                """#),
        "Grant": Body(
            required: ["customer", "feature", "amount", "reason"],
            example: #"""
                {"customer":"acme","feature":"tokens","amount":250000,"expires":"2027-01-31",
                  "rollover":{"max":100000},"reason":"goodwill"}
                """#),
        "Suspension": Body(
            required: ["customer", "reason"],
            example: #"{"customer":"acme","product":"default","reason":"invoice overdue"}"#),
        "Revocation": Body(
            required: ["customer", "product", "reason"],
            example: #"{"customer":"acme","product":"default","reason":"contract ended"}"#),
        "Patch": Body(example: #"{"seats":{"seats":60},"end":null}"#),
        "Migration": Body(example: #"{"to":2,"from":1,"filter":{"owner":"emea"}}"#),
        "Provision": Body(
            example: #"""
                {"account_id":"acme","plan":"pro","features":["sso"],
                  "limits":{"tokens_per_month":2000000},"seats":60,
                  "license_type":"subscription","start_date":"2026-01-31","end_date":"2027-01-30"}
                """#),
        "Revoke": Body(
            example: #"{"account_id":"acme","product":"default","reason":"invoice_overdue"}"#),
        "SeatHolder": Body(example: #"{"holder":"ada@acme.example"}"#),
        "ImportLine": Body(
            example: #"""
                {"id":"acme","time_zone":"Europe/Berlin","subscription":{"plan":"pro"}}
                """#),
        "NewKey": Body(example: #"{"name":"edge","scopes":["check","events:write"]}"#),
        "NewToken": Body(example: #"{"ttl_seconds":900}"#),
        "Why": Body(example: #"{"reason":"wrong customer"}"#),
    ]

    private static let event = #"""
        {"specversion":"1.0","id":"e-1","source":"shop","type":"llm.request","subject":"key_1",
          "data":{"total_tokens":812}}
        """#
}
