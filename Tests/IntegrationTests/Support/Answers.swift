/// The documents of the API, as far as tests read them.
struct Totals: Decodable {
    struct Row: Decodable, Hashable {
        var customer: String
        var meter: String
        var count: Int64
        var value: Int64
    }
    var totals: [Row]
}

struct Alerts: Decodable {
    struct Alert: Decodable {
        var id: String
        var customer: String
        var feature: String
        var threshold: String
        var used_before: Int64
        var used_after: Int64
        var resolved_at: String?
    }
    var alerts: [Alert]
    var next: String?
}

struct Reconciliation: Decodable {
    struct Drift: Decodable, Equatable {
        var customer: String
        var meter: String
        var store: String
        var recounted: Int64
        var stored: Int64
    }
    var events_read: Int64
    var events_counted: Int64
    var duplicates: Int64
    var set_aside: Int64
    var filtered: Int64
    var control_events: Int64
    var rows_compared: Int64
    var drifts: [Drift]
    var notes: [String]
}

struct SetAside: Decodable {
    struct Event: Decodable {
        var kind: String
        var reason: String
        var detail: String
        var subject: String?
        var partition: Int32
        var offset: Int64
        var event_base64: String?
    }
    var events: [Event]
    var next: String?
}

struct Verdict: Decodable {
    struct Rejection: Decodable {
        var index: Int
        var code: String
        var detail: String
    }
    var accepted: Int
    var rejected: [Rejection]
}

struct ProblemDocument: Decodable {
    var status: Int
    var code: String
    var detail: String
}

struct DecisionAnswer: Decodable, Sendable {
    var allowed: Bool
    var reason: String
    var quantity: Int64
    var limit: Int64?
    var used: Int64
    var held: Int64
    var remaining: Int64?
    var mode: String
    var reservation_id: String?
    var state: String?
    var reserved: Int64?
    var committed: Int64?
}

struct Readiness: Decodable {
    var status: String
    var reasons: [String]
    var details: [String: String]
}

struct Usage: Decodable {
    struct Window: Decodable {
        var start: String
        var value: String
        var group: [String: String?]?
    }
    var windows: [Window]
}
