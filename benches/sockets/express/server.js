// Express on a socket, bare or with express-session in memory: `node server.js APP PORT`.
'use strict'

const express = require('express')
const session = require('express-session')

// Answers the text where the handler found the session.
const found = (response, isFound) => isFound ? response.send('found') : response.sendStatus(404)

const apps = {
  bare (app) {
    app.get('/plain', (_, response) => response.send('found'))
  },

  memory (app) {
    app.use(session({ secret: 'a secret of the bench', resave: false, saveUninitialized: false }))
    app.get('/start', ({ session }, response) => {
      session.user = { userId: 42, count: 1000000 }
      response.send('found')
    })
    app.get('/read', ({ session }, response) => found(response, session.user))
    app.get('/write', ({ session }, response) => {
      if (session.user) session.user.count += 1
      found(response, session.user)
    })
  }
}

const [name, port] = process.argv.slice(2)
const app = express()
apps[name](app)
app.listen(Number(port), '127.0.0.1')
