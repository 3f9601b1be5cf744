// Ktor on a socket, bare or with its Sessions plugin: `MainKt APP PORT`.

import io.ktor.http.HttpStatusCode
import io.ktor.server.application.Application
import io.ktor.server.application.ApplicationCall
import io.ktor.server.application.install
import io.ktor.server.engine.embeddedServer
import io.ktor.server.netty.Netty
import io.ktor.server.response.respond
import io.ktor.server.response.respondText
import io.ktor.server.routing.get
import io.ktor.server.routing.routing
import io.ktor.server.sessions.SessionStorageMemory
import io.ktor.server.sessions.SessionTransportTransformerEncrypt
import io.ktor.server.sessions.Sessions
import io.ktor.server.sessions.cookie
import io.ktor.server.sessions.get
import io.ktor.server.sessions.sessions
import io.ktor.server.sessions.set
import kotlinx.serialization.Serializable

@Serializable
data class User(val userId: Int, val count: Int)

fun main(arguments: Array<String>) {
    val (app, port) = arguments
    val module: Application.() -> Unit = when (app) {
        "bare" -> Application::bare
        "memory" -> Application::memory
        "encrypted" -> Application::encrypted
        else -> error("no such application")
    }
    embeddedServer(Netty, port = port.toInt(), host = "127.0.0.1", module = module).start(wait = true)
}

fun Application.bare() {
    routing { get("/plain") { call.respondText("found") } }
}

fun Application.memory() {
    install(Sessions) { cookie<User>("user", SessionStorageMemory()) }
    sessionRoutes()
}

/** Signed and encrypted, on the client. */
fun Application.encrypted() {
    install(Sessions) {
        cookie<User>("user") {
            transform(SessionTransportTransformerEncrypt(ByteArray(16) { 1 }, ByteArray(32) { 2 }))
        }
    }
    sessionRoutes()
}

fun Application.sessionRoutes() = routing {
    get("/start") {
        call.sessions.set(User(userId = 42, count = 1_000_000))
        call.respondText("found")
    }
    get("/read") { call.found(call.sessions.get<User>()) }
    get("/write") {
        val user = call.sessions.get<User>()
        if (user != null) call.sessions.set(user.copy(count = user.count + 1))
        call.found(user)
    }
}

suspend fun ApplicationCall.found(user: User?) =
    if (user == null) respond(HttpStatusCode.NotFound) else respondText("found")
