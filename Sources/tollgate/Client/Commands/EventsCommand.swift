import ArgumentParser

struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Send usage events, import a trace, watch the log, or correct single events.",
        subcommands: [
            EventsSendCommand.self, EventsImportCommand.self, EventsTailCommand.self,
            EventsVoidCommand.self, EventsAmendCommand.self, EventsRestoreCommand.self,
            EventsCorrectionsCommand.self,
        ])
}

/// How events are sent; the same for `send` and `import`.
struct SendOptions: ParsableArguments {
    @Option(help: "Events of one request (1 … 1000).")
    var batchSize = 500

    @Option(help: "Requests under way at once (1 … 32).")
    var inFlight = 4

    @Option(
        help: ArgumentHelp(
            "How long to try again while the server is away or overloaded.", valueName: "seconds"))
    var patience = 60

    @Flag(help: "Count old events in their own periods instead of refusing them as late.")
    var backfill = false

    @Flag(name: .shortAndLong, help: "No progress, no summary.")
    var quiet = false

    func validate() throws {
        guard (1...1_000).contains(batchSize) else {
            throw ValidationError("--batch-size must be 1 to 1000.")
        }
        guard (1...32).contains(inFlight) else {
            throw ValidationError("--in-flight must be 1 to 32.")
        }
        guard patience >= 0 else { throw ValidationError("--patience must not be negative.") }
    }

    func sender(_ client: APIClient) -> EventSender {
        EventSender(client: client, isBackfill: backfill, patienceSeconds: Double(patience))
    }
}

/// Prints what became of the events.
struct SendReport {
    var isJSON: Bool
    var isQuiet: Bool

    /// - Throws: `badInput` when anything was rejected.
    func finish(_ tally: ImportTally, seconds: Double) throws(ClientFailure) {
        if isJSON {
            Terminal.result(tally.json(seconds: seconds).text)
        } else if !isQuiet {
            Terminal.result(tally.summary(seconds: seconds))
        }
        if tally.rejectedCount == 0 { return }
        var lines = tally.examples
        if tally.rejectedCount > lines.count {
            lines.append("… and \(tally.rejectedCount - lines.count) more")
        }
        throw ClientFailure(.badInput, lines.joined(separator: "\n"))
    }
}
