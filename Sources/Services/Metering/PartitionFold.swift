import MeteringModel
import MeteringPorts
import UsageAggregation

/// What has been read of one partition since its last commit.
final class PartitionFold {
    let partition: Int32
    let epoch: Int64
    private(set) var baseOffset: Int64
    var nextOffset: Int64
    var completeTo: Timestamp
    var fold: FoldTable
    var marks: [DedupeMark] = []
    var setAside: [SetAsideEvent] = []
    var admissions: [AdmissionRecord] = []
    var reservations: [ReservationChange] = []
    var corrections: [FoldedCorrection] = []
    var recordCount = 0
    /// Sum of magnitudes folded; kept far from Int64's end so that no cell can overflow.
    var magnitude: Int64 = 0
    /// Bytes of set-aside payloads held; bounds memory when a stretch is all garbage.
    var setAsideBytes = 0

    init(claim: PartitionClaim, cellCapacity: Int = 4_096) {
        fold = FoldTable(minimumCapacity: cellCapacity)
        partition = claim.partition
        epoch = claim.epoch
        baseOffset = claim.nextOffset
        nextOffset = claim.nextOffset
        completeTo = claim.completeTo ?? .distantPast
    }

    var isDirty: Bool { nextOffset != baseOffset }

    /// The batch is in the ledger: start the next one where it ended.
    func committed() {
        baseOffset = nextOffset
        fold.removeAll()
        marks.removeAll(keepingCapacity: true)
        setAside.removeAll()
        admissions.removeAll()
        reservations.removeAll()
        corrections.removeAll()
        recordCount = 0
        magnitude = 0
        setAsideBytes = 0
    }
}
