/// Sends a stream of events batch after batch, several batches under way at once, and shows how
/// far it has come.
struct EventStream {
    /// Events as JSON with the line of the file that each came from.
    struct Batch: Sendable {
        var events: [String] = []
        var lines: [Int] = []
    }

    var batchSize: Int
    var inFlightMax: Int
    /// Number of rows in the file, for the bar.
    var total: Int
    var isQuiet: Bool

    /// - Parameters:
    ///   - next: the next event with its line, a problem in its place, or nil at the end.
    ///   - send: delivers one batch; called for up to `inFlightMax` batches at a time.
    func run(
        next: () throws(ClientFailure) -> (line: Int, event: Result<String, RowProblem>)?,
        send: @escaping @Sendable (Batch) async throws(ClientFailure) -> EventSender.Outcome
    ) async throws(ClientFailure) -> (tally: ImportTally, seconds: Double) {
        var progress = ProgressReport(total: total, isQuiet: isQuiet)
        var tally = ImportTally()
        var failure: ClientFailure?
        await withTaskGroup(of: Result<(EventSender.Outcome, [Int]), ClientFailure>.self) { group in
            var inFlight = 0
            var isAtEnd = false
            while failure == nil {
                while failure == nil, inFlight < inFlightMax, !isAtEnd {
                    let batch: Batch
                    do throws(ClientFailure) {
                        batch = try nextBatch(next, &tally, &isAtEnd)
                    } catch {
                        failure = error
                        break
                    }
                    if batch.events.isEmpty { break }
                    inFlight += 1
                    group.addTask {
                        do throws(ClientFailure) {
                            return .success((try await send(batch), batch.lines))
                        } catch { return .failure(error) }
                    }
                }
                guard let result = await group.next() else { break }
                inFlight -= 1
                switch result {
                case .success(let (outcome, lines)): tally.add(outcome, lines: lines)
                case .failure(let error): failure = error
                }
                progress.show(done: tally.handled)
            }
            group.cancelAll()
        }
        progress.finish()
        if let failure { throw failure.after(tally) }
        return (tally, progress.elapsedSeconds)
    }

    private func nextBatch(
        _ next: () throws(ClientFailure) -> (line: Int, event: Result<String, RowProblem>)?,
        _ tally: inout ImportTally, _ isAtEnd: inout Bool
    ) throws(ClientFailure) -> Batch {
        var batch = Batch()
        while batch.events.count < batchSize {
            guard let (line, event) = try next() else {
                isAtEnd = true
                break
            }
            switch event {
            case .success(let json):
                batch.events.append(json)
                batch.lines.append(line)
            case .failure(let problem):
                tally.reject(code: problem.code, line: line, detail: problem.detail)
            }
        }
        return batch
    }
}

extension ClientFailure {
    fileprivate func after(_ tally: ImportTally) -> ClientFailure {
        let done = TextTable.grouped(String(tally.accepted))
        return ClientFailure(
            status,
            """
            \(message)
            \(done) events had been accepted. Run the same command again: none will count twice.
            """)
    }
}
