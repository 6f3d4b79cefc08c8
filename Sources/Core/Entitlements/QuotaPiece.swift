package import MeteringModel

/// A time in which one feature's quota of one customer, and what it costs, stay as they are.
package struct QuotaPiece: Sendable {
    package var from: Timestamp
    /// The first instant after.
    package var to: Timestamp
    package var quota: Quota
    package var price: FeaturePrice?

    /// A customer's own quotas through all time, by feature, each ascending.
    package static func all(of customer: CompiledCustomer) -> [FeatureKey: [QuotaPiece]] {
        var pieces: [FeatureKey: [QuotaPiece]] = [:]
        for segment in customer.segments {
            for position in 0..<segment.quotaCount {
                let entitlement = segment.quotaEntitlement(position)
                pieces[entitlement.feature, default: []].append(
                    QuotaPiece(
                        from: segment.start, to: segment.end, quota: segment.quota(position),
                        price: entitlement.price))
            }
        }
        return pieces
    }

    /// Periods of the quota that it counts in at some instant of the piece, and that end in
    /// (`window.start`, `window.end`]; ascending, at most `countMax`. A lifetime ends nowhere.
    package func periods(
        endingIn window: Period, zone: TimeZoneRules, countMax: Int = .max
    ) -> [Period] {
        if quota.rule.unit == .lifetime { return [] }
        var found: [Period] = []
        // Nothing of a period that is over before the piece begins is of interest.
        var instant = max(window.start, from)
        while found.count < countMax {
            let period = quota.rule.period(containing: instant, zone: zone)
            if period.end > window.end || period.start >= to { break }
            if period.end > window.start { found.append(period) }
            instant = period.end
        }
        return found
    }
}

/// A part of a quota period in which nothing changes of limit and price.
package struct QuotaStretch: Sendable {
    package var from: Timestamp
    package var to: Timestamp
    /// Nil: there is none here, or one of another rule, whose own period counts this time.
    package var quota: Quota?
    package var price: FeaturePrice?

    /// They tile the period, up to `end`; neighbours differ.
    /// - Parameter pieces: of one feature, ascending.
    package static func all(
        _ pieces: [QuotaPiece], in period: Period, upTo end: Timestamp = .distantFuture,
        zone: TimeZoneRules
    ) -> [QuotaStretch] {
        let end = min(period.end, end)
        var stretches: [QuotaStretch] = []
        func add(_ from: Timestamp, _ to: Timestamp, _ quota: Quota?, _ price: FeaturePrice?) {
            if from >= to { return }
            let next = QuotaStretch(from: from, to: to, quota: quota, price: price)
            if let last = stretches.indices.last, stretches[last].isLike(next) {
                stretches[last].to = to
            } else {
                stretches.append(next)
            }
        }
        var place = period.start
        for piece in pieces where piece.from < end && period.start < piece.to {
            let from = max(piece.from, period.start)
            let to = min(piece.to, end)
            add(place, from, nil, nil)
            let isCounted = piece.quota.rule.period(containing: from, zone: zone) == period
            add(from, to, isCounted ? piece.quota : nil, isCounted ? piece.price : nil)
            place = to
        }
        add(place, end, nil, nil)
        return stretches
    }

    /// Whether both count, stop and cost alike; that another record says so makes no difference.
    private func isLike(_ other: QuotaStretch) -> Bool {
        guard price == other.price else { return false }
        guard var left = quota, var right = other.quota else {
            return quota == nil && other.quota == nil
        }
        left.source = ""
        right.source = ""
        return left == right
    }
}
