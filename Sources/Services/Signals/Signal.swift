import Forecasting
import MeteringModel
import MeteringPorts

/// Something about one customer that a person should know, with its reason in words and numbers.
struct Signal: Sendable, Hashable {
    /// A period that it rests on.
    struct Basis: Sendable, Hashable {
        var period: Period
        var used: Int64
        /// Nil: unlimited, or no quota.
        var limit: Int64?
    }
    var id: String
    var kind: SignalKind
    var customer: CustomerID
    /// Nil: it is about the customer as a whole.
    var feature: FeatureKey?
    var severity: SignalSeverity
    /// 0 to 100: what comes first in the list.
    var score: Int
    /// Since when it holds, as far as the ledger tells; else when it was first computed.
    var since: Timestamp
    /// A sentence that can be read aloud.
    var reason: String
    var numbers: [String: JSONValue]
    var basis: [Basis]
    /// Of the quota that it is about: what a snooze until the next threshold waits for.
    var shareBasisPoints: Int64?
    /// Shares of the quota's thresholds, ascending.
    var thresholdShares: [Int64] = []
    /// Near a limit: when it will be reached, as far as that can be told.
    var exhaustion: Exhaustion?
    var scale: Int
    var plan: PlanKey?
    var zone: TimeZoneRules { context.zone }
    /// Name, owner and zone of the customer.
    var context: Context

    /// What is said of every signal of a customer.
    struct Context: Sendable, Hashable {
        var name: String?
        var owner: String?
        var zone: TimeZoneRules

        static func == (left: Context, right: Context) -> Bool {
            left.name == right.name && left.owner == right.owner
                && left.zone.name == right.zone.name
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(name)
            hasher.combine(owner)
        }
    }
}

/// The names of signals: of kind, customer, feature and period, so that the same thing has the same
/// name after every restart, and is told once.
enum SignalID {
    /// - Parameter period: the start of what it is about: a quota's period, a day, a month.
    static func make(
        _ kind: SignalKind, _ customer: CustomerID, _ feature: FeatureKey?, _ period: Timestamp
    ) -> String {
        let parts = [
            customer.rawValue, feature?.rawValue ?? "", feature == nil ? "0" : "1",
            String(period.microseconds),
        ]
        // Length-prefixed, so no part can pose as two.
        let text = parts.map { "\($0.utf8.count):\($0)" }.joined()
        let high = KeyHash(k0: 0x7369_676e, k1: 1).hash(text)
        let low = KeyHash(k0: 0x616c_7321, k1: 2).hash(text)
        let word = String(kind.rawValue.map { $0 == "_" ? "-" : $0 })
        return "\(word)-\(hex(high))\(hex(low))"
    }

    private static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
