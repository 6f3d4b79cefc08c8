/// An allowance in the meter's smallest unit. Unlimited is a case of its own: no number means it.
public enum Limit: Hashable, Sendable {
    case finite(Int64)
    case unlimited

    public var finite: Int64? {
        if case .finite(let units) = self { return units }
        return nil
    }
}

/// Whether a full quota stops usage or only marks it as overage.
public enum EnforcementMode: String, Sendable, Hashable, Codable, CaseIterable {
    case hard, soft
}

/// A warning level of a quota.
public enum Threshold: Hashable, Sendable {
    /// In hundredths of a percent of the limit: 80 % is 8,000; may exceed 10,000.
    case share(basisPoints: Int64)
    /// In the meter's smallest unit.
    case absolute(Int64)

    /// The usage at which this threshold is crossed: at or above it. Nil when it has none
    /// (a share of an unlimited quota). Rounded up, so that 80 % of 3 is crossed at 3, not at 2.
    public func level(of limit: Limit) -> Int64? {
        switch self {
        case .absolute(let units): return units
        case .share(let basisPoints):
            guard case .finite(let units) = limit else { return nil }
            let (high, low) = units.multipliedFullWidth(by: basisPoints)
            let (quotient, remainder) = Int64(10_000).dividingSafely(high, low)
            guard let quotient else { return .max }
            return remainder > 0 ? quotient + 1 : quotient
        }
    }

    /// As users write it: `80%`, `99.5%`, or a number of units.
    public var label: String {
        switch self {
        case .absolute(let units): return String(units)
        case .share(let basisPoints):
            let whole = basisPoints / 100
            let rest = basisPoints % 100
            if rest == 0 { return "\(whole)%" }
            let digits = rest % 10 == 0 ? "\(rest / 10)" : (rest < 10 ? "0\(rest)" : "\(rest)")
            return "\(whole).\(digits)%"
        }
    }
}

extension Int64 {
    /// Divides a full-width non-negative product by self; nil quotient when it would not fit.
    fileprivate func dividingSafely(_ high: Int64, _ low: UInt64) -> (Int64?, Int64) {
        if high >= self || high < 0 { return (nil, 0) }
        let (quotient, remainder) = UInt64(self).dividingFullWidth((UInt64(high), low))
        guard let fits = Int64(exactly: quotient) else { return (nil, 0) }
        return (fits, Int64(remainder))
    }
}

/// What happens to an admission when the shared store cannot be asked.
public enum OutagePolicy: Hashable, Sendable {
    case closed
    case open
    case lastKnown(maxAgeSeconds: Int64)
    case allowance(Int64)
}

/// Whether an admission waits for the log's acknowledgement.
public enum AdmissionDurability: String, Sendable, Hashable, Codable, CaseIterable {
    /// Answer after the log has it; a crash never re-opens a cap.
    case logged
    /// Answer at once; a crash may lose at most linger × rate of record.
    case fast
}

/// Where a metered feature's usage comes from.
public enum CountingMode: String, Sendable, Hashable, Codable, CaseIterable {
    /// By usage events, after the fact; the gate checks.
    case events
    /// At admission; the gate consumes, and the node writes the event itself.
    case admission
}
