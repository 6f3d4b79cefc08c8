/// Offsets along the time line: transitions in ascending order and, where daylight saving goes on
/// for ever, one full 400-year cycle of it, after which calendar and weekdays repeat exactly.
struct OffsetTimeline: Sendable {
    /// A stretch [start, end) of UTC seconds with one offset.
    struct Segment: Hashable, Sendable {
        var start: Int64
        var end: Int64
        var offset: Int
    }

    /// Offsets are smaller than this in both directions, seconds (RFC 9636 §3.2: below 26 h).
    static let offsetMax: Int64 = 26 * 3_600
    /// Seconds in 400 Gregorian years, which are whole weeks.
    static let cycleSeconds: Int64 = 146_097 * 86_400
    /// Transitions farther out than this are beyond every date we handle.
    static let farthestSecond: Int64 = 1_000_000_000_000

    /// UTC seconds, ascending.
    private let transitions: [Int64]
    /// The offset before the first transition, then one after each.
    private let offsets: [Int32]
    /// From here on, look one or more cycles earlier; `.max` when offsets no longer change.
    private let horizon: Int64
    /// Before this, look one or more cycles later; `.min` when the first offset holds.
    private let origin: Int64

    init(fixedOffset: Int) {
        transitions = []
        offsets = [Int32(fixedOffset)]
        horizon = .max
        origin = .min
    }

    /// - Parameters:
    ///   - explicit: the transitions of the file, ascending, each with the offset after it.
    ///   - footer: the rule for all time after the last one.
    init(firstOffset: Int, explicit: [(at: Int64, offset: Int)], footer: PosixZoneRule?) {
        var all = explicit
        var horizon = Int64.max
        var origin = Int64.min
        var first = firstOffset
        if let footer, let saving = footer.saving {
            let firstYear: Int
            if let last = explicit.last {
                firstYear = CivilDate(daysSinceEpoch: Int(last.at.floorDivided(by: 86_400))).year
            } else {
                // The rule alone holds, at all times.
                firstYear = 1970
                first = footer.standardOffset
            }
            let lastAt = explicit.last?.at ?? .min
            for year in (firstYear - 1)...(firstYear + 403) {
                all += saving.transitions(year: year, standardOffset: footer.standardOffset)
                    .filter { $0.at > lastAt }
            }
            horizon = Self.yearStart(firstYear + 402)
            if explicit.isEmpty { origin = Self.yearStart(firstYear) }
        } else if explicit.isEmpty, let footer {
            first = footer.standardOffset
        }
        // Ascending already, except that the rule's two changes of a year come in either order.
        // A stable order keeps a change of one year before the same instant's of the next.
        let sorted = all.enumerated().sorted {
            ($0.element.at, $0.offset) < ($1.element.at, $1.offset)
        }
        transitions = sorted.map(\.element.at)
        offsets = [Int32(first)] + sorted.map { Int32($0.element.offset) }
        self.horizon = horizon
        self.origin = origin
    }

    /// The stretch that `second` lies in.
    func segment(at second: Int64) -> Segment {
        var shift: Int64 = 0
        if second >= horizon {
            shift = ((second - horizon) / Self.cycleSeconds + 1) * Self.cycleSeconds
        } else if second < origin {
            shift = -(((origin - second - 1) / Self.cycleSeconds + 1) * Self.cycleSeconds)
        }
        let wanted = second - shift
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low &+ high) / 2
            if transitions[middle] <= wanted { low = middle + 1 } else { high = middle }
        }
        let start = low == 0 ? Int64.min : transitions[low - 1] + shift
        let end = low == transitions.count ? Int64.max : transitions[low] + shift
        return Segment(start: start, end: end, offset: Int(offsets[low]))
    }

    private static func yearStart(_ year: Int) -> Int64 {
        Int64(CivilDate(year: year, month: 1, day: 1).daysSinceEpoch) * 86_400
    }
}
