import Foundation

// What the server answers, as far as people are shown it. `--json` prints the answer untouched.

/// An integer, or a decimal in a string: shown as it came.
struct QuantityText: Decodable, Sendable, CustomStringConvertible {
    var text: String

    init(from decoder: any Decoder) throws {
        switch try JSONValue(from: decoder) {
        case .number(let digits), .string(let digits): text = digits
        default:
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not a quantity"))
        }
    }

    /// With a comma after each three digits of the whole part.
    var description: String { TextTable.grouped(text) }
}

struct PeriodAnswer: Decodable, Sendable, CustomStringConvertible {
    var start: String
    var end: String
    var description: String { "\(start) – \(end)" }
}

struct DecisionAnswer: Decodable, Sendable {
    var allowed: Bool
    var reason: String
    var customer: String
    var feature: String
    var limit: QuantityText?
    var used: QuantityText?
    var held: QuantityText?
    var remaining: QuantityText?
    var overage: QuantityText?
    var unlimited: Bool?
    var value: String?
    var period: PeriodAnswer?
    var resetsAt: String?
    var thresholdsCrossed: [String]?
    var limitSource: String?
    var mode: String?
    var usageCompleteTo: String?
    var upgradeHint: String?
}

struct EntitlementsAnswer: Decodable, Sendable {
    struct Entitlement: Decodable, Sendable {
        var feature: String
        var type: String?
        var allowed: Bool?
        var reason: String?
        var limit: QuantityText?
        var used: QuantityText?
        var remaining: QuantityText?
        var unlimited: Bool?
        var value: String?
        var enforcement: String?
        var resetsAt: String?
        var limitSource: String?
    }
    var entitlements: [Entitlement]
}

struct NearLimitAnswer: Decodable, Sendable {
    struct Entry: Decodable, Sendable {
        var customer: String
        var feature: String
        var plan: String?
        var used: QuantityText
        var limit: QuantityText
        var share: QuantityText
        var period: PeriodAnswer?
        var enforcement: String?
        var projectedExhaustion: String?
    }
    var entries: [Entry]
    var next: String?
}

struct AlertsAnswer: Decodable, Sendable {
    struct Alert: Decodable, Sendable {
        var sequence: Int64
        var id: String
        var customer: String
        var feature: String
        var threshold: String
        var limit: QuantityText?
        var usedAfter: QuantityText
        var crossedAt: String
        var resolvedAt: String?
        var limitSource: String?
    }
    var alerts: [Alert]
    var next: String?
}

struct UsageAnswer: Decodable, Sendable {
    struct Window: Decodable, Sendable {
        var start: String
        var end: String
        var value: QuantityText
        var group: [String: String]?
    }
    var customer: String
    var feature: String?
    var window: String
    var unit: String?
    var usageCompleteTo: String?
    var windows: [Window]
    var next: String?
}

struct TotalsAnswer: Decodable, Sendable {
    struct Total: Decodable, Sendable {
        var customer: String
        var meter: String
        var count: QuantityText
        var value: QuantityText
    }
    var totals: [Total]
}

struct DeadLettersAnswer: Decodable, Sendable {
    struct Event: Decodable, Sendable {
        var sequence: Int64
        var kind: String
        var partition: Int
        var offset: Int64
        var appendedAt: String?
        var reason: String
        var detail: String?
        var subject: String?
    }
    var events: [Event]
    var next: String?
}

struct RedriveAnswer: Decodable, Sendable {
    var redriven: Int
}

struct ReconcileAnswer: Decodable, Sendable {
    struct Drift: Decodable, Sendable {
        var customer: String
        var meter: String
        var period: PeriodAnswer?
        var store: String
        var recounted: QuantityText
        var stored: QuantityText
    }
    var eventsRead: QuantityText
    var eventsCounted: QuantityText
    var duplicates: QuantityText
    var setAside: QuantityText
    var filtered: QuantityText
    var controlEvents: QuantityText
    var rowsCompared: QuantityText
    var drifts: [Drift]
    var notes: [String]?
}

struct CatalogAnswer: Decodable, Sendable {
    var revision: Int64
    var applied: Bool
    var changes: [String]
}

struct LogEventsAnswer: Decodable, Sendable {
    struct Record: Decodable, Sendable {
        var partition: Int
        var offset: Int64
        var appendedAt: String
        var event: JSONValue

        enum CodingKeys: String, CodingKey {
            case partition, offset, event
            case appendedAt = "appended_at"
        }
    }
    var events: [Record]
    var next: QuantityText?
}

/// The answer to an ingest request.
struct IngestAnswer: Decodable, Sendable {
    struct Rejection: Decodable, Sendable {
        var index: Int
        var code: String
        var detail: String?
    }
    var accepted: Int
    var rejected: [Rejection]?
}

extension APIClient {
    /// Decodes an answer.
    /// - Throws: `internalError` when the answer is not of the form that this version knows.
    /// - Parameter keys: how member names become property names; the default turns `resets_at`
    ///   into `resetsAt`, which must not happen inside an event.
    func decoded<Answer: Decodable>(
        _ type: Answer.Type, from data: Data,
        keys: JSONDecoder.KeyDecodingStrategy = .convertFromSnakeCase
    ) throws(ClientFailure) -> Answer {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = keys
        do {
            return try decoder.decode(type, from: data)
        } catch {
            throw ClientFailure(
                .internalError,
                "the answer of \(base) has a form this version does not know: \(error)")
        }
    }
}
