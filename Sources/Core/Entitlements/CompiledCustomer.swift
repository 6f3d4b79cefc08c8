public import MeteringModel

/// A customer as the hot paths need it: what it has, through all time. What its contract has in
/// common with others' is shared with them.
public final class CompiledCustomer: Sendable {
    /// A piece of the customer's timeline.
    struct Step: Sendable {
        var start: Timestamp
        let shape: EntitlementShape
        /// Where periods of the first subscription begin; `distantFuture` without one.
        let firstAnchor: Timestamp
        /// Those of further subscriptions.
        let otherAnchors: [Timestamp]
        /// Customer number; −1 without a parent.
        let parent: Int32
        let inherits: Bool
        let isPresent: Bool
    }

    /// Position in the snapshot; the same in all snapshots of a process.
    public let number: Int
    public let id: CustomerID
    public let zone: TimeZoneRules
    /// What its usage is for; that of a twin (`acme#sandbox`) is never production.
    public let environment: Environment
    /// Taken out of the control plane; its number is not given again.
    public let isRemoved: Bool
    /// The number of the customer that this one is the twin of, for another environment; −1 for
    /// customers of their own.
    let base: Int32
    /// Ascending, never empty; the first starts at `distantPast`.
    let steps: [Step]
    /// The subjects that the look-up table has for this customer.
    let subjects: [SubjectID]
    /// The contract's profile has ended: others may take over its subjects.
    let hasEnded: Bool

    init(
        number: Int, id: CustomerID, zone: TimeZoneRules, environment: Environment,
        isRemoved: Bool = false, base: Int32 = -1, steps: [Step], subjects: [SubjectID],
        hasEnded: Bool = false
    ) {
        self.number = number
        self.id = id
        self.zone = zone
        self.environment = environment
        self.isRemoved = isRemoved
        self.base = base
        self.steps = steps
        self.subjects = subjects
        self.hasEnded = hasEnded
    }

    /// They tile [distantPast, distantFuture).
    public var segments: [EntitlementSegment] { steps.indices.map { segment($0) } }

    /// What holds at an instant. Allocates nothing; fastest for the last segment.
    public func segment(at instant: Timestamp) -> EntitlementSegment {
        var position = steps.count &- 1
        while position > 0, steps[position].start > instant { position &-= 1 }
        return segment(position)
    }

    /// The first instant after `instant` at which another segment begins.
    public func nextBoundary(after instant: Timestamp) -> Timestamp? {
        if steps[steps.count &- 1].start <= instant { return nil }
        return steps.first { $0.start > instant }?.start
    }

    func segment(_ position: Int) -> EntitlementSegment {
        EntitlementSegment(customer: self, position: position)
    }
}
