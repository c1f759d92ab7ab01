"use strict";

SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#description",
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
