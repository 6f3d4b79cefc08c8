public import MeteringModel

extension CompiledCustomer {
    /// The intervals that a feature's grants are used up in, for filling in what was used in each:
    /// from the start of the period in which the first grant begins, up to and with the interval
    /// that holds `through`.
    /// - Parameter feature: its number (`CompiledDefinitions.featureNumber`).
    /// - Returns: ascending; empty when no grant has begun by then.
    public func grantIntervals(
        feature: Int, through: Timestamp
    ) -> [GrantBurnDown.Interval] {
        var first: Timestamp?
        for segment in segments where segment.start <= through {
            guard let position = segment.quotaPosition(ofFeature: feature),
                !segment.grants(ofQuota: position).isEmpty
            else { continue }
            let rule = segment.rule(ofQuota: position)
            let begin = max(segment.start, .distantPast)
            first = rule.period(containing: begin, zone: zone).start
            break
        }
        guard let first else { return [] }
        var intervals: [GrantBurnDown.Interval] = []
        for segment in segments where segment.end > first && segment.start <= through {
            guard let position = segment.quotaPosition(ofFeature: feature) else { continue }
            append(segment, position, from: first, through: through, to: &intervals)
        }
        return intervals
    }

    private func append(
        _ segment: EntitlementSegment, _ position: Int, from first: Timestamp, through: Timestamp,
        to intervals: inout [GrantBurnDown.Interval]
    ) {
        let quota = segment.quota(position)
        var start = max(segment.start, first)
        while start < segment.end, start <= through {
            let period = quota.rule.period(containing: start, zone: zone)
            let end = min(period.end, segment.end)
            if end <= start { break }
            intervals.append(
                GrantBurnDown.Interval(
                    start: start, end: end, period: period, allowance: quota.limit,
                    grants: quota.grants))
            start = end
        }
    }
}

extension EntitlementSegment {
    /// The grants that a quota has in this segment, in the order of use. Allocates nothing.
    public func grants(ofQuota position: Int) -> [Quota.Grant] {
        guard case .metered(let quota, _) = quotaEntitlement(position).value else { return [] }
        return quota.grants
    }
}
