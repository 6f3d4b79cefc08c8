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
    /// All steps but the last, ascending.
    private let earlierSteps: [Step]
    /// What nearly all questions are about: kept here, one look-up less away.
    let lastStep: Step
    /// The subjects that the look-up table has for this customer.
    let subjects: [SubjectID]
    /// The contract's profile has ended: others may take over its subjects.
    let hasEnded: Bool
    /// Who looks after the customer.
    public let owner: String?

    init(
        number: Int, id: CustomerID, zone: TimeZoneRules, environment: Environment,
        isRemoved: Bool = false, base: Int32 = -1, steps: [Step], subjects: [SubjectID],
        hasEnded: Bool = false, owner: String? = nil
    ) {
        self.number = number
        self.id = id
        self.zone = zone
        self.environment = environment
        self.isRemoved = isRemoved
        self.base = base
        precondition(!steps.isEmpty, "a timeline covers all time")
        earlierSteps = Array(steps.dropLast())
        lastStep = steps[steps.count - 1]
        self.subjects = subjects
        self.hasEnded = hasEnded
        self.owner = owner
    }

    /// Ascending, never empty; the first starts at `distantPast`. Allocates the list.
    var steps: [Step] { earlierSteps + [lastStep] }

    var stepCount: Int { earlierSteps.count &+ 1 }

    func step(_ position: Int) -> Step {
        position == earlierSteps.count ? lastStep : earlierSteps[position]
    }

    /// Position of the step that holds at an instant.
    func position(at instant: Timestamp) -> Int {
        var position = earlierSteps.count
        if lastStep.start <= instant { return position }
        while position > 1, earlierSteps[position &- 1].start > instant { position &-= 1 }
        return max(position &- 1, 0)
    }

    /// They tile [distantPast, distantFuture).
    public var segments: [EntitlementSegment] { (0..<stepCount).map { segment($0) } }

    /// What holds at an instant. Allocates nothing; fastest for the last segment.
    public func segment(at instant: Timestamp) -> EntitlementSegment {
        segment(position(at: instant))
    }

    /// The first instant after `instant` at which another segment begins.
    public func nextBoundary(after instant: Timestamp) -> Timestamp? {
        if lastStep.start <= instant { return nil }
        return (earlierSteps.first { $0.start > instant } ?? lastStep).start
    }

    func segment(_ position: Int) -> EntitlementSegment {
        EntitlementSegment(customer: self, position: position)
    }
}
