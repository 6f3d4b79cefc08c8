package import MeteringModel

/// What one ledger commit changed, as the counters need it.
package struct CommittedUsage: Sendable {
    package var partition: Int32
    package var epoch: Int64
    package var baseOffset: Int64
    package var nextOffset: Int64
    package var completeTo: Timestamp
    /// One for each row that changed.
    package var changes: [UsageChange]
    /// What corrections changed after that; counts may have fallen.
    package var corrected: [UsageChange] = []
    /// Units among the changes that this process had charged at admission.
    package var admittedHere: [UsageKey: Int64]
    package var newCrossings: [Crossing]
    package var reservations: [ReservationChange]
    package var admissions: [AdmissionRecord]

    package init(
        partition: Int32, epoch: Int64, baseOffset: Int64, nextOffset: Int64,
        completeTo: Timestamp, changes: [UsageChange], admittedHere: [UsageKey: Int64],
        newCrossings: [Crossing], reservations: [ReservationChange], admissions: [AdmissionRecord]
    ) {
        self.partition = partition
        self.epoch = epoch
        self.baseOffset = baseOffset
        self.nextOffset = nextOffset
        self.completeTo = completeTo
        self.changes = changes
        self.admittedHere = admittedHere
        self.newCrossings = newCrossings
        self.reservations = reservations
        self.admissions = admissions
    }
}

/// Told of every ledger commit, in order, on the thread that made it.
package protocol UsageObserver: AnyObject, Sendable {
    func usageCommitted(_ usage: CommittedUsage)
    /// Rows were made anew from the log, between commits.
    func usageRecounted(_ changes: [UsageChange])
    /// Partitions were newly claimed: counters must be brought level with the ledger.
    func partitionsClaimed(_ claims: [PartitionClaim])
    /// Asked between commits: true when the observer wants `rebuild` to be called.
    var wantsRebuild: Bool { get }
    /// Called between commits; the ledger does not change while it runs.
    func rebuild(positions: [PartitionClaim])
}

extension UsageObserver {
    package func usageRecounted(_ changes: [UsageChange]) {}
}
