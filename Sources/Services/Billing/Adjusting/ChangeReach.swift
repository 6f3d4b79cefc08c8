import MeteringModel

/// Which customers' statements a change of the control plane bears on, and from when.
struct ChangeReach {
    enum Whose {
        case customers([CustomerID])
        /// Of everybody who has statements: a definition was taken back.
        case all
    }
    var whose: Whose
    var from: Timestamp

    /// Nil when no statement of the past depends on it.
    init?(_ change: ControlChange) {
        switch change.kind {
        case .subscription, .override, .grant, .suspension, .revocation:
            guard let customer = change.customer else { return nil }
            whose = .customers([customer])
            from = Self.start(of: change)
        case .customer:
            // Environment holds as it is now: what is closed was closed under another. A statement
            // keeps its zone, but months that have only adjustments follow the customer's.
            let zones = [change.before, change.after].map { $0?["time_zone"]?.text }
            if let id = change.customer, change.before != nil, zones[0] != zones[1] {
                whose = .customers([id])
                from = .distantPast
                return
            }
            let parents = [change.before, change.after].map { $0?["parent"]?.text }
            guard parents[0] != parents[1] else { return nil }
            // Usage of the whole tree counts at every ancestor.
            whose = .customers(parents.compactMap { $0.map { CustomerID($0) } })
            from = Self.start(of: change)
        case .plan, .addOn, .feature, .meter, .product:
            // They change at once, which no closed month knows of; unless a change is undone.
            guard change.action == .undo else { return nil }
            whose = .all
            from = Self.start(of: change)
        case .integration, .seat, .credential, .alertEndpoint, .signal, .correction:
            return nil
        }
    }

    /// A record that is made holds from the beginning of time, but what it gives begins at its own
    /// start. What is undone gives back what the record said before.
    private static func start(of change: ControlChange) -> Timestamp {
        if change.action != .undo, change.effectiveAt > .distantPast { return change.effectiveAt }
        let starts = [change.before, change.after]
            .compactMap { $0?["start"]?.text.flatMap { Timestamp(rfc3339: $0) } }
        let own = starts.min() ?? .distantPast
        if change.action == .undo, change.effectiveAt > .distantPast {
            return starts.isEmpty ? change.effectiveAt : min(own, change.effectiveAt)
        }
        return own
    }
}
