package import MeteringModel
package import MeteringPorts

/// A crossing as the outside sees it: one JSON object, the same over HTTP, Kafka and webhooks.
package enum CrossingDocument {
    package static func json(_ stored: StoredCrossing) -> String {
        let crossing = stored.crossing
        func quantity(_ units: Int64) -> String {
            let text = DecimalQuantity.text(units: units, scale: crossing.scale)
            return crossing.scale == 0 ? text : "\"\(text)\""
        }
        let limit = crossing.limit.finite.map(quantity) ?? "null"
        let resolved = crossing.resolvedAt.map { "\"\($0.rfc3339(offsetSeconds: 0))\"" } ?? "null"
        let members: [(String, String)] = [
            ("sequence", String(stored.sequence)), ("id", "\"\(crossing.id)\""),
            ("type", "\"\(type(crossing))\""),
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
}
