import Logging
import MeteringModel
import MeteringPorts
import UsageAggregation

/// Tells that a meter has met more sets of dimension values than it has room for: once per month,
/// and again with the same id when that could not be delivered or after a restart.
struct DimensionOverflow {
    let outbox: (any NotificationOutbox)?
    let counters: MeteringCounters
    let logger: Logger
    let clock: WallClock

    private var told: Set<DimensionSets.Place> = []
    private var untold: Set<DimensionSets.Place> = []

    init(
        outbox: (any NotificationOutbox)?, counters: MeteringCounters, logger: Logger,
        clock: WallClock
    ) {
        self.outbox = outbox
        self.counters = counters
        self.logger = logger
        self.clock = clock
    }

    /// - Parameters:
    ///   - overflows: events by meter and month.
    ///   - key: of the installation; part of the notification's id.
    mutating func note(
        _ overflows: [DimensionSets.Place: Int64], key: KeyHash, groupsMax: (MeterKey) -> Int?
    ) {
        for (place, count) in overflows {
            counters.countDimensionOverflow(place.meter.rawValue, count)
            if told.contains(place) || !untold.insert(place).inserted { continue }
            logger.warning(
                """
                meter \(place.meter) has too many sets of dimension values this month; further \
                ones count as \(DimensionNames.other)
                """)
        }
        if untold.isEmpty { return }
        guard let outbox else {
            told.formUnion(untold)
            untold.removeAll()
            return
        }
        let notifications = untold.map { place in
            notification(place, key, groupsMax(place.meter))
        }
        do throws(LedgerError) {
            try outbox.publish(notifications)
            told.formUnion(untold)
            untold.removeAll()
        } catch {
            logger.warning("a notification waits: \(error.message)")
        }
    }

    private func notification(
        _ place: DimensionSets.Place, _ key: KeyHash, _ groupsMax: Int?
    ) -> Notification {
        let month = Self.name(place.month)
        // Keys of meters may have characters that ids have not.
        let meter = String(key.hash(place.meter.rawValue), radix: 16)
        return Notification(
            id: "ingest_cardinality_\(meter)_\(month)", type: "ingest.cardinality",
            at: clock.now(),
            data: .members([
                "meter": .string(place.meter.rawValue), "month": .string(month),
                "max_groups": groupsMax.map { .integer($0) },
                "counted_as": .string(DimensionNames.other),
            ]))
    }

    /// `2026-11`.
    private static func name(_ month: Int32) -> String {
        let (year, index) = (Int(month) / 12 + 1970, Int(month) % 12 + 1)
        return "\(year)-\(index < 10 ? "0" : "")\(index)"
    }
}
