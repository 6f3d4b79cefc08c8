import Forecasting
import Logging
import MeteringModel
import MeteringPorts

/// Goes from customer to customer and keeps the board. Effects, in order, for each:
///
/// 1. The customer's facts are read from ledger and catalog, together with those of some others, and
///    its signals computed.
/// 2. The board has them: from here on the list shows them.
/// 3. What is new is left in the outbox, which passes over ids that it knows: told once, also when
///    the process dies between 2 and 3, or starts anew.
///
/// The first sweep looks at everybody with usage in the last eight weeks or near a limit; later ones
/// at those with usage since the sweep before, those who have signals, those near a limit, and,
/// once a day, the rest of those known. Whoever waits stays in the queue over sweeps.
actor SignalWorker {
    struct Progress: Sendable, Hashable {
        var computedCount: Int64 = 0
        var waitingCount = 0
        /// Until every customer was looked at once since the start, the list is not whole.
        var isWhole = false
        var lastSweep: Timestamp?
        var failedCount: Int64 = 0
    }

    private let sources: SignalSources
    private let computer: SignalComputer
    private let board: SignalBoard
    private var queue: [CustomerID] = []
    private var queued: Set<CustomerID> = []
    /// Everybody that was ever looked at, and when.
    private var computedAt: [CustomerID: Timestamp] = [:]
    /// Notifications that the outbox has taken; it knows those of earlier lives itself.
    private var told: Set<String> = []
    private(set) var progress = Progress()

    /// Pages of the near-limit index that a sweep looks through, of `nearLimitPageSize` each.
    private static let nearLimitPagesMax = 1_000
    private static let nearLimitPageSize = 1_000
    /// Customers who are read together, before others have a turn.
    private static let readingCountMax = 64
    /// Ids remembered as told; beyond it they are offered to the outbox again.
    private static let toldCountMax = 500_000
    /// Between batches of one sweep, so that others use the ledger meanwhile.
    private static let pauseMilliseconds = 200

    init(_ sources: SignalSources, board: SignalBoard) {
        self.sources = sources
        self.board = board
        computer = SignalComputer(sources: sources)
    }

    /// Sweeps until cancelled.
    func run() async {
        while !Task.isCancelled {
            await sweep()
            while !queue.isEmpty, !Task.isCancelled {
                await work()
                try? await Task.sleep(for: .milliseconds(Self.pauseMilliseconds))
            }
            try? await Task.sleep(for: .seconds(sources.settings.intervalSeconds))
        }
    }

    /// Puts everybody who is due into the queue.
    func sweep() async {
        let now = sources.clock.now()
        do throws(ControlProblem) {
            try readWork()
            for customer in try await candidates(now) { enqueue(customer) }
            progress.lastSweep = now
        } catch {
            sources.logger.warning("signals wait for their stores: \(error.detail)")
        }
        progress.waitingCount = queue.count
    }

    /// Computes a batch of those who wait.
    func work() async {
        let batch = Array(queue.prefix(sources.settings.batchCountMax))
        queue.removeFirst(batch.count)
        var rest = batch[...]
        while !rest.isEmpty {
            let chunk = Array(rest.prefix(Self.readingCountMax))
            rest = rest.dropFirst(chunk.count)
            for (customer, result) in zip(chunk, computer.signals(of: chunk)) {
                queued.remove(customer)
                switch result {
                case .success(let signals): take(signals, of: customer)
                case .failure(let problem):
                    progress.failedCount += 1
                    sources.logger.warning(
                        "the signals of a customer were not computed: \(problem.detail)",
                        metadata: ["customer": "\(customer)"])
                }
            }
            await Task.yield()
        }
        progress.waitingCount = queue.count
        if queue.isEmpty, progress.lastSweep != nil { progress.isWhole = true }
    }

    /// Sweeps and works until nobody waits.
    func drain() async {
        await sweep()
        while !queue.isEmpty { await work() }
        if progress.lastSweep != nil { progress.isWhole = true }
    }

    func compute(_ customer: CustomerID) throws(ControlProblem) {
        for result in computer.signals(of: [customer]) { take(try result.get(), of: customer) }
    }

    private func take(_ signals: [Signal], of customer: CustomerID) {
        computedAt[customer] = sources.clock.now()
        progress.computedCount += 1
        board.replace(customer, signals)
        tell(signals)
    }

    // MARK: parts

    private func enqueue(_ customer: CustomerID) {
        if queued.insert(customer).inserted { queue.append(customer) }
    }

    private func tell(_ signals: [Signal]) {
        guard let outbox = sources.outbox else { return }
        let now = sources.clock.now()
        let fresh = signals.filter { !told.contains($0.id) }
            .compactMap { SignalDocument.notification($0, at: now) }
        if fresh.isEmpty { return }
        do throws(LedgerError) {
            try outbox.publish(fresh)
            if told.count > Self.toldCountMax { told = [] }
            told.formUnion(fresh.map(\.id))
        } catch {
            // They are not marked as told, so the next turn of the customer offers them again.
            sources.logger.warning("signals wait to be told: \(error.message)")
        }
    }

    /// What people did, also through other processes.
    private func readWork() throws(ControlProblem) {
        var work: [String: SignalWork] = [:]
        for history in try sources.records.records(.signal, customer: nil) {
            work[history.id] = SignalWork(history.latest)
        }
        board.setAllWork(work)
    }

    private func candidates(_ now: Timestamp) async throws(ControlProblem) -> [CustomerID] {
        var found: Set<CustomerID> = []
        // Days of zones far to the east begin up to a day before ours, and late usage comes later.
        let since = progress.lastSweep.map { $0.adding(seconds: -2 * 86_400) }
        var day =
            since
            ?? now.adding(seconds: -Int64(sources.settings.historyDays + 1) * 86_400)
        while day <= now.adding(seconds: 86_400) {
            let next = day.adding(seconds: 86_400)
            do throws(LedgerError) {
                found.formUnion(try sources.activity.activeCustomers(from: day, to: next))
            } catch {
                throw ControlProblem(.unavailable, "unavailable", error.message)
            }
            day = next
            await Task.yield()
        }
        found.formUnion(try nearLimit())
        found.formUnion(board.customers)
        let idle = now.adding(seconds: -sources.settings.idleSeconds)
        for (customer, at) in computedAt where at <= idle { found.insert(customer) }
        return found.sorted()
    }

    private func nearLimit() throws(ControlProblem) -> [CustomerID] {
        var found: [CustomerID] = []
        var cursor: String?
        for _ in 0..<Self.nearLimitPagesMax {
            do throws(QueryError) {
                let page = try sources.nearLimit(
                    sources.settings.nearShareBasisPoints, Self.nearLimitPageSize, cursor)
                found += page.entries.map(\.customer)
                cursor = page.next
            } catch {
                throw ControlProblem(.unavailable, "unavailable", error.message)
            }
            if cursor == nil { break }
        }
        return found
    }
}
