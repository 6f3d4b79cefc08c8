import ArgumentParser
import Foundation

struct ReconcileCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Recount everything from the log and compare with ledger and counters.",
        discussion: """
            EXAMPLE
              tollgate reconcile || tollgate reconcile --json > drift.json

            Reads the whole log, so it takes as long as the log is long. Ends with 3 when a store \
            differs from the recount by as little as one unit.

            \(CommandExit.help)
            """)

    @Option(help: "Give up after so many seconds.")
    var timeout = 3_600

    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let shows = Terminal.showsProgress && !connection.json
        if shows { Terminal.transient("recounting from the log …") }
        let data: Data
        do throws(ClientFailure) {
            data = try await client.answer(
                APIRequest(.post, ["v1", "reconcile"], timeoutSeconds: Double(timeout)))
        } catch {
            if shows { Terminal.transient("") }
            throw error
        }
        if shows { Terminal.transient("") }
        let answer = try client.decoded(ReconcileAnswer.self, from: data)
        if connection.json { Terminal.result(json: data) } else { show(answer) }
        if !answer.drifts.isEmpty { throw ClientFailure(.driftFound) }
    }

    private func show(_ answer: ReconcileAnswer) {
        Terminal.result(
            """
            events read     \(answer.eventsRead)
            events counted  \(answer.eventsCounted)
            duplicates      \(answer.duplicates)
            set aside       \(answer.setAside)
            filtered        \(answer.filtered)
            control events  \(answer.controlEvents)
            rows compared   \(answer.rowsCompared)
            drifts          \(answer.drifts.count)
            """)
        for note in answer.notes ?? [] { Terminal.message("note: \(TextTable.printable(note))") }
        if answer.drifts.isEmpty { return }
        var table = TextTable([
            ("CUSTOMER", .left), ("METER", .left), ("PERIOD", .left), ("STORE", .left),
            ("RECOUNTED", .right), ("STORED", .right),
        ])
        for drift in answer.drifts {
            table.add([
                drift.customer, drift.meter, drift.period?.description ?? "", drift.store,
                drift.recounted.description, drift.stored.description,
            ])
        }
        Terminal.result("\n" + table.text)
    }
}
