import MeteringModel
import MeteringPorts

/// Signals as answers and notifications show them.
enum SignalDocument {
    static func time(_ instant: Timestamp, _ zone: TimeZoneRules) -> JSONValue {
        .string(instant.rfc3339(offsetSeconds: zone.offsetSeconds(at: instant)))
    }

    static func make(_ signal: Signal, _ work: SignalWork, at now: Timestamp) -> JSONValue {
        var members = facts(signal)
        members["state"] = .string(work.state(of: signal, at: now))
        for (name, value) in work.members { members[name] = value }
        members["owner"] = (work.owner ?? signal.context.owner).map { .string($0) }
        members["is_assigned"] = .bool(work.owner != nil)
        return .members(members)
    }

    /// What the ledger says, without what people did.
    static func facts(_ signal: Signal) -> [String: JSONValue?] {
        let zone = signal.zone
        return [
            "id": .string(signal.id), "kind": .string(signal.kind.rawValue),
            "customer": .string(signal.customer.rawValue),
            "customer_name": signal.context.name.map { .string($0) },
            "feature": signal.feature.map { .string($0.rawValue) },
            "plan": signal.plan.map { .string($0.rawValue) },
            "owner": signal.context.owner.map { .string($0) },
            "severity": .string(signal.severity.word), "score": .integer(signal.score),
            "since": time(signal.since, zone), "reason": .string(signal.reason),
            "numbers": .object(signal.numbers), "time_zone": .string(zone.name),
            "periods": .array(signal.basis.map { period($0, signal) }),
            "links": .object(links(signal)),
        ]
    }

    private static func period(_ basis: Signal.Basis, _ signal: Signal) -> JSONValue {
        .members([
            "start": time(basis.period.start, signal.zone),
            "end": time(basis.period.end, signal.zone),
            "used": .number(DecimalQuantity.text(units: basis.used, scale: signal.scale)),
            "limit": basis.limit.map {
                .number(DecimalQuantity.text(units: $0, scale: signal.scale))
            },
        ])
    }

    /// Where the usage can be seen that it rests on.
    private static func links(_ signal: Signal) -> [String: JSONValue] {
        let path = "/v1/customers/\(encoded(signal.customer.rawValue))"
        var links: [String: JSONValue] = ["entitlements": .string(path + "/entitlements")]
        if let feature = signal.feature, let first = signal.basis.map(\.period.start).min(),
            let last = signal.basis.map(\.period.end).max(), first > .distantPast
        {
            links["usage"] = .string(
                "\(path)/usage?feature=\(encoded(feature.rawValue))&window=day"
                    + "&from=\(first.rfc3339())&to=\(min(last, .distantFuture).rfc3339())")
        }
        return links
    }

    /// Percent-encoded for a path or a query.
    static func encoded(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                out.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                out += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return out
    }

    /// Types of notifications; nil: that kind is told by threshold crossings already.
    static func notificationType(_ kind: SignalKind) -> String? {
        switch kind {
        case .nearLimit: nil
        case .projectedExhaustion: "usage.forecast.breach"
        case .upsell: "upsell.candidate"
        case .churnRisk: "churn.risk"
        case .anomaly: "usage.anomaly"
        case .leakage: "usage.leakage"
        }
    }

    /// Nil for what is not told outside: of low severity, or by crossings.
    static func notification(_ signal: Signal, at now: Timestamp) -> Notification? {
        guard signal.severity > .low, let type = notificationType(signal.kind) else { return nil }
        return Notification(
            id: signal.id, type: type, customer: signal.customer, feature: signal.feature,
            plan: signal.plan, owner: signal.context.owner,
            levelBasisPoints: signal.shareBasisPoints, at: now, data: .members(facts(signal)))
    }
}
