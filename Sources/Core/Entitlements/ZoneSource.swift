import MeteringModel
import Synchronization

/// Time zones by name, each asked for once.
final class ZoneSource: Sendable {
    private let load: @Sendable (String) -> TimeZoneRules?
    private let known = Mutex<[String: TimeZoneRules?]>([:])

    init(_ load: @escaping @Sendable (String) -> TimeZoneRules?) { self.load = load }

    func rules(_ name: String) -> TimeZoneRules? {
        if let found = known.withLock({ $0[name] }) { return found }
        let rules = load(name)
        known.withLock { $0[name] = .some(rules) }
        return rules
    }
}
