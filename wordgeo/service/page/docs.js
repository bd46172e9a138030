// The API's documentation, drawn by Swagger UI from the document of this service; nothing is asked of another host.
window.ui = SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", validatorUrl: null, deepLinking: true });
