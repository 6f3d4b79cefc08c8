package import Logging
import MeteringModel
package import MeteringPorts
import Synchronization

/// Tells Stripe what is planned. The order of effects, and what each step guarantees:
///
/// 1. the event is in the store before anything is sent (by the planning);
/// 2. that a call begins, and the bytes it will have, are in the store before the call;
/// 3. the call, under an identifier and an idempotency key that stay the same for all repetitions;
/// 4. what came of it is in the store after the call.
///
/// A process that ends between 2 and 4 leaves an event whose outcome is unknown; it is sent again
/// under the same identifier while Stripe tells repetitions, and then left to people.
package final class MeterEventSender: Sendable {
    private let store: any ExportStore
    private let transport: StripeTransport
    private let settings: MeterEventSettings
    private let schedule: RetrySchedule
    private let clock: WallClock
    private let logger: Logger
    private let counters: ExportCounters
    /// Until when nothing is sent, and after how many answers in a row that concerned all events.
    private let pause = Mutex<(until: Timestamp, count: Int)>((.distantPast, 0))

    /// - Parameter random: a number from 0 up to, and without, its argument.
    package init(
        store: any ExportStore, transport: @escaping StripeTransport,
        settings: MeterEventSettings, clock: WallClock, counters: ExportCounters, logger: Logger,
        random: @escaping @Sendable (Int64) -> Int64
    ) {
        self.store = store
        self.transport = transport
        self.settings = settings
        schedule = RetrySchedule(random: random)
        self.clock = clock
        self.counters = counters
        self.logger = logger
    }

    /// Why nothing is sent at the moment; nil when it is.
    package var trouble: String? {
        let until = pause.withLock { $0.until }
        return until > clock.now()
            ? "Stripe refuses all meter events; trying again at \(until.rfc3339())" : nil
    }

    /// Sends what is due, once each.
    /// - Returns: the number of events looked at.
    package func round() async throws(BillingStoreError) -> Int {
        if isPaused { return 0 }
        let due = try store.dueMeterEvents(at: clock.now(), limit: settings.roundEventsMax)
        let lanes = Self.lanes(due)
        await withDiscardingTaskGroup { group in
            let queue = LaneQueue(lanes)
            for _ in 0..<min(settings.callsMax, lanes.count) {
                group.addTask { await self.work(off: queue) }
            }
        }
        return due.count
    }

    /// The events of one customer and meter at Stripe, which takes one call at a time for them.
    private static func lanes(_ events: [StoredMeterEvent]) -> [[StoredMeterEvent]] {
        struct Lane: Hashable {
            var customer: [UInt8]
            var eventName: [UInt8]
        }
        var places: [Lane: Int] = [:]
        var lanes: [[StoredMeterEvent]] = []
        for event in events {
            let lane = Lane(
                customer: Array(event.draft.stripeCustomer.utf8),
                eventName: Array(event.draft.eventName.utf8))
            if let place = places[lane] {
                lanes[place].append(event)
            } else {
                places[lane] = lanes.count
                lanes.append([event])
            }
        }
        return lanes
    }

    private func work(off queue: LaneQueue) async {
        while let lane = queue.next() {
            for event in lane {
                if Task.isCancelled || isPaused { return }
                do throws(BillingStoreError) {
                    // What failed for now would most likely fail for the next one of the lane too.
                    guard try await send(event) else { break }
                } catch {
                    counters.storeFailures.add(1)
                    logger.error(
                        "the record of what Stripe was told cannot be written",
                        metadata: ["event": "\(event.draft.identifier)", "error": "\(error)"])
                    return
                }
            }
        }
    }

    /// - Returns: whether the event is done with.
    private func send(_ event: StoredMeterEvent) async throws(BillingStoreError) -> Bool {
        let now = clock.now()
        guard let timestamp = try usableTimestamp(of: event, at: now) else { return true }
        try store.beginCall(
            event.sequence, timestamp: timestamp, at: now,
            retryAt: now.adding(seconds: settings.callSecondsMax))
        let verdict: StripeVerdict
        do throws(StripeTransportError) {
            verdict = StripeVerdict(
                try await transport(StripeRequest(event.draft, timestamp: timestamp)))
        } catch {
            verdict = StripeVerdict(error)
        }
        let outcome = outcome(of: verdict, event, calledAt: now)
        try store.endCall(event.sequence, outcome, at: clock.now())
        return note(outcome, event)
    }

    /// When Stripe is told that the usage was: the window's begin, or the first instant of the
    /// window that Stripe still takes. Nil: there is none, or it is too late to ask; that is noted.
    private func usableTimestamp(
        of event: StoredMeterEvent, at now: Timestamp
    ) throws(BillingStoreError) -> Timestamp? {
        if let since = event.unknownSince,
            now >= since.adding(seconds: settings.repeatSecondsMax)
        {
            try finish(event, .uncertain(answer: event.answer ?? "no answer came"), now)
            return nil
        }
        let oldest = now.adding(seconds: -settings.ageSecondsMax)
        let window = event.draft.window
        // Rounded up to the whole second that the call will say.
        let first = Timestamp(seconds: oldest.seconds + 1)
        let timestamp =
            event.draft.timestamp ?? (window.start >= oldest ? window.start : first)
        let isUsable =
            timestamp >= oldest && (event.draft.timestamp != nil || timestamp < window.end)
        if isUsable { return timestamp }
        let answer = "Stripe takes events of the last 35 days only"
        try finish(
            event,
            event.unknownSince == nil ? .tooOld(answer: answer) : .uncertain(answer: answer), now)
        return nil
    }

    private func finish(
        _ event: StoredMeterEvent, _ outcome: MeterEventOutcome, _ now: Timestamp
    ) throws(BillingStoreError) {
        try store.endCall(event.sequence, outcome, at: now)
        _ = note(outcome, event)
    }

    private func outcome(
        of verdict: StripeVerdict, _ event: StoredMeterEvent, calledAt: Timestamp
    ) -> MeterEventOutcome {
        func retryAt(_ seconds: Int64?) -> Timestamp {
            clock.now().adding(
                seconds: schedule.seconds(callCount: event.callCount + 1, askedFor: seconds))
        }
        switch verdict {
        case .accepted(let answer):
            pause.withLock { $0.count = 0 }
            return .sent(answer: answer)
        case .refused(let answer): return .refused(answer: answer)
        case .notTaken(let answer, let wait, let isForAll):
            if isForAll { stopAll(wait) }
            return .notTaken(answer: answer, calledAt: calledAt, retryAt: retryAt(wait))
        case .unknown(let answer, let wait):
            return .unknown(answer: answer, retryAt: retryAt(wait))
        }
    }

    /// Counts and logs.
    /// - Returns: whether the event is done with.
    private func note(_ outcome: MeterEventOutcome, _ event: StoredMeterEvent) -> Bool {
        let (result, answer, isDone): (ExportCounters.Result, String, Bool) =
            switch outcome {
            case .sent(let answer): (.sent, answer, true)
            case .refused(let answer): (.refused, answer, true)
            case .uncertain(let answer): (.uncertain, answer, true)
            case .tooOld(let answer): (.tooOld, answer, true)
            case .notTaken(let answer, _, _), .unknown(let answer, _): (.failed, answer, false)
            }
        counters.meterEvents(result).add(1)
        if result != .sent {
            logger.log(
                level: isDone ? .error : .warning, "a meter event did not reach Stripe",
                metadata: [
                    "event": "\(event.draft.identifier)", "result": "\(result.rawValue)",
                    "answer": "\(answer)",
                ])
        }
        return isDone
    }

    // MARK: stopping for all

    private var isPaused: Bool { pause.withLock { $0.until } > clock.now() }

    private func stopAll(_ askedFor: Int64?) {
        let now = clock.now()
        pause.withLock { pause in
            // Calls under way at the same time say the same thing once.
            if pause.until > now { return }
            pause.count += 1
            let seconds = schedule.seconds(callCount: pause.count, askedFor: askedFor)
            pause.until = now.adding(seconds: min(seconds, settings.pauseSecondsMax))
        }
    }
}

/// Lanes that workers take one after the other.
private final class LaneQueue: Sendable {
    private let lanes: Mutex<ArraySlice<[StoredMeterEvent]>>

    init(_ lanes: [[StoredMeterEvent]]) { self.lanes = Mutex(lanes[...]) }

    func next() -> [StoredMeterEvent]? { lanes.withLock { $0.popFirst() } }
}
