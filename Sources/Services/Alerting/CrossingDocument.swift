package import MeteringModel
package import MeteringPorts

/// A crossing as the outside sees it: one JSON object, the same over HTTP, Kafka and webhooks.
package enum CrossingDocument {
    /// - Parameter type: of the change that is told; nil: that of the crossing itself.
    package static func json(_ stored: StoredCrossing, type told: String? = nil) -> String {
        let crossing = stored.crossing
        func quantity(_ units: Int64) -> String {
            let text = DecimalQuantity.text(units: units, scale: crossing.scale)
            return crossing.scale == 0 ? text : "\"\(text)\""
        }
        let limit = crossing.limit.finite.map(quantity) ?? "null"
        let resolved = crossing.resolvedAt.map { "\"\($0.rfc3339(offsetSeconds: 0))\"" } ?? "null"
        let members: [(String, String)] = [
            ("sequence", String(stored.sequence)), ("id", "\"\(crossing.id)\""),
            ("type", "\"\(told ?? type(crossing))\""),
            ("customer", CanonicalJSON.string(crossing.customer.rawValue)),
            ("feature", CanonicalJSON.string(crossing.feature.rawValue)),
            ("meter", CanonicalJSON.string(crossing.meter.rawValue)),
            ("threshold", "\"\(crossing.threshold.label)\""), ("limit", limit),
            ("used_before", quantity(crossing.usedBefore)),
            ("used_after", quantity(crossing.usedAfter)),
            (
                "period",
                "{\"start\":\"\(crossing.period.start.rfc3339(offsetSeconds: 0))\","
                    + "\"end\":\"\(crossing.period.end.rfc3339(offsetSeconds: 0))\"}"
            ),
            ("limit_source", CanonicalJSON.string(crossing.source)),
            ("crossed_at", "\"\(crossing.crossedAt.rfc3339(offsetSeconds: 0))\""),
            ("resolved_at", resolved),
        ]
        return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    /// Below the limit a warning, at or above it the cap itself.
    package static func type(_ crossing: Crossing) -> String {
        guard let limit = crossing.limit.finite,
            let level = crossing.threshold.level(of: crossing.limit)
        else { return "usage.threshold.warning" }
        if level < limit { return "usage.threshold.warning" }
        return level == limit ? "quota.exhausted" : "usage.threshold.reached"
    }

    package static func type(_ change: CrossingChange) -> String {
        change.kind == .resolved
            ? "usage.threshold.resolved" : type(change.crossing.crossing)
    }

    /// The crossing's own id for its first change, with the change's number for those after it.
    package static func id(_ change: CrossingChange) -> String {
        let id = change.crossing.crossing.id
        return change.ordinal <= 1 ? id : "\(id)-\(change.ordinal)"
    }

    /// In hundredths of a percent of the limit; nil where the limit is none.
    package static func levelBasisPoints(_ crossing: Crossing) -> Int64? {
        switch crossing.threshold {
        case .share(let basisPoints): return basisPoints
        case .absolute(let units):
            guard let limit = crossing.limit.finite, limit > 0 else { return nil }
            let (scaled, overflow) = units.multipliedReportingOverflow(by: 10_000)
            return overflow ? .max : scaled / limit
        }
    }
}
