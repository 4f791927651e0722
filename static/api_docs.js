/* Swagger UI over our own schema; what is tried out carries the page's CSRF token. */
const place = document.getElementById('swagger-ui');
const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? '';

SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  deepLinking: true,
  validatorUrl: null,                 // asks nobody outside
  requestInterceptor(request) {
    if (new URL(request.url, location).origin === location.origin) request.headers['X-CSRFToken'] = token();
    return request;
  },
});
