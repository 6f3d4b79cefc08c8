import ArgumentParser

@main
struct Program: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tollgate",
        abstract:
            "Usage metering and quota enforcement: one exact count for the gate and the bill.",
        version: "0.1.0",
        subcommands: [ServeCommand.self] + TollgateClientCommands.all)
}
