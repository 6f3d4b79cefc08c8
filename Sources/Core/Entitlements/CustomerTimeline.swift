public import MeteringModel

/// What a contract gives through all time: pieces in which nothing changes.
public struct CustomerTimeline: Sendable {
    public struct Piece: Sendable {
        /// Holds from here to the next piece's start; the first starts at `distantPast`.
        public var start: Timestamp
        public var state: EffectiveState
    }
    /// Ascending, never empty; neighbours differ.
    public let pieces: [Piece]

    public init(_ contract: CustomerContract, _ definitions: CompiledDefinitions) {
        var pieces: [Piece] = []
        for start in Self.boundaries(of: contract) {
            let state = EntitlementFold.effective(contract, at: start, definitions)
            if let last = pieces.last, last.state.isSame(as: state) { continue }
            pieces.append(Piece(start: start, state: state))
        }
        self.pieces = pieces
    }

    public func state(at instant: Timestamp) -> EffectiveState {
        (pieces.last { $0.start <= instant } ?? pieces[0]).state
    }

    /// Every instant at which something of the contract may begin or end; `distantPast` first.
    static func boundaries(of contract: CustomerContract) -> [Timestamp] {
        var instants: [Timestamp] = [.distantPast]
        func add(_ instant: Timestamp?) {
            guard let instant, instant > .distantPast, instant < .distantFuture else { return }
            instants.append(instant)
        }
        func addSteps<Terms>(
            _ records: [CustomerContract.Held<Terms>], _ body: (Terms) -> Void
        ) {
            for record in records {
                for step in record.terms.steps {
                    add(step.from)
                    if let terms = step.value { body(terms) }
                }
            }
        }
        for step in contract.profile.steps { add(step.from) }
        addSteps(contract.subscriptions) { terms in
            add(terms.start)
            add(terms.end)
            add(terms.trialEnd)
            for addOn in terms.addOns {
                add(addOn.start)
                add(addOn.end)
            }
        }
        addSteps(contract.overrides) {
            add($0.start)
            add($0.end)
        }
        addSteps(contract.grants) {
            add($0.start)
            add($0.expires)
        }
        addSteps(contract.suspensions) {
            add($0.start)
            add($0.end)
        }
        addSteps(contract.revocations) {
            add($0.start)
            add($0.end)
        }
        instants.sort()
        var unique = [instants[0]]
        for instant in instants where instant != unique[unique.count - 1] { unique.append(instant) }
        return unique
    }
}
