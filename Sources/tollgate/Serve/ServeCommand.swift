import ArgumentParser
import Foundation
import HTTPAPI
import Logging

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the whole service in this process.",
        discussion: """
            Without --kafka and --redis everything lives in --data-dir: an event journal, the \
            ledger and the counters. When ready it prints one line on stdout: \
            `ready http=… admin=…`. SIGTERM drains and exits 0.

            EXIT CODES
              64  the configuration is wrong
              65  the catalog has a problem
              69  a port is in use, or Kafka cannot be reached
              70  anything else
            """)

    @OptionGroup var options: ServeOptions
    @Flag(help: "Validate configuration and catalog, then exit.") var checkConfig = false

    func run() async throws {
        let configuration: Configuration
        do {
            configuration = try options.resolve(environment: ProcessInfo.processInfo.environment)
        } catch {
            Self.fail("\(error)", .configuration)
        }
        LogSetup.bootstrap(level: configuration.logLevel)
        let logger = Logger(label: "tollgate")
        do {
            if checkConfig {
                try ConfigurationCheck.run(configuration)
                print("configuration is valid")
                return
            }
            try ConfigurationCheck.settings(configuration)
            let service = try await Service.start(configuration, logger: logger)
            let stop = StopSignals()
            print("ready \(service.addresses)")
            fflush(nil)
            await stop.wait()
            logger.info("draining")
            await service.drain()
            logger.info("stopped")
        } catch let error as ConfigurationError {
            Self.fail(error.description, error.exit)
        } catch let error as HTTPServerError where error.isAddressInUse {
            let flag = error.isAdmin ? "--admin" : "--http"
            Self.fail("\(error); choose another with \(flag)", .unavailable)
        } catch {
            Self.fail("\(error)", .other)
        }
    }

    static func fail(_ message: String, _ exit: ServeExit) -> Never {
        FileHandle.standardError.write(Data("tollgate: \(message)\n".utf8))
        Foundation.exit(exit.rawValue)
    }
}

/// Log lines on stderr: time, level, message, metadata.
enum LogSetup {
    static func bootstrap(level: String) {
        let threshold = Logger.Level(rawValue: level) ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = threshold
            return handler
        }
    }
}

/// SIGTERM and SIGINT as something to await. A second signal ends the process at once.
struct StopSignals {
    private let sources: [any DispatchSourceSignal]
    private let stream: AsyncStream<Void>

    init() {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        self.stream = stream
        sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(
                signal: number, queue: DispatchQueue(label: "signals"))
            source.setEventHandler {
                continuation.yield()
                signal(number, SIG_DFL)
            }
            source.resume()
            return source
        }
        signal(SIGPIPE, SIG_IGN)
    }

    func wait() async {
        for await _ in stream { return }
    }
}
