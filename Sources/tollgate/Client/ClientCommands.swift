import ArgumentParser

/// The commands that talk to a running server; the root command lists them beside `serve`.
struct TollgateClientCommands {
    static var all: [any ParsableCommand.Type] {
        [
            ApplyCommand.self, CheckCommand.self, ConsumeCommand.self, EntitlementsCommand.self,
            UsageCommand.self, NearLimitCommand.self, AlertsCommand.self, EventsCommand.self,
            DeadLettersCommand.self, ReconcileCommand.self, HealthCommand.self,
            ExportCommand.self, GetCommand.self, PutCommand.self, ChangeCommand.self,
            DeleteCommand.self, RevokeCommand.self, ReinstateCommand.self, UndoCommand.self,
            MigrateCommand.self, SeatsCommand.self, AdjustmentsCommand.self,
            CustomersCommand.self, KeysCommand.self, AuditCommand.self, TokenCommand.self,
            StatementCommand.self, StatementsCommand.self, BillingCommand.self,
            ExportsCommand.self, EndpointsCommand.self, SignalsCommand.self,
            SimulatePlanCommand.self,
        ]
    }
}

/// A command that asks the server something. It states its work in `perform`; how failures become
/// a message on stderr and an exit code is the same for all.
protocol ClientCommand: AsyncParsableCommand {
    var connection: ConnectionOptions { get }
    func perform(_ client: APIClient) async throws(ClientFailure)
}

extension ClientCommand {
    mutating func run() async throws {
        do throws(ClientFailure) {
            try await perform(try connection.makeClient())
        } catch {
            if !error.message.isEmpty { Terminal.message(error.message) }
            throw ExitCode(error.status.rawValue)
        }
    }
}
